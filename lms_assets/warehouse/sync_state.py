"""Small facts that one run leaves for the next, by name (`sync_state`)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select, update

from lms_assets.domain.safety.run_instants import not_before
from lms_assets.domain.schedule import CHAIN
from lms_assets.warehouse.schema.tables import sync_state
from lms_assets.warehouse.upsert.upsert import upsert

COUNTED = "partner_cert_counts"
"""The name under which stands when partners were last counted."""


class UnreadableState(ValueError):
    """A row of sync_state holds no JSON."""

    def __init__(self, name: str) -> None:
        remedy = f"correct its JSON, or delete it and run {CHAIN}"
        super().__init__(f"the row {name!r} of sync_state cannot be read: {remedy}")


def get_state(connection: Connection, name: str, *, lock: bool = False) -> Any:
    """The JSON value stored under `name`, None when there is none; locked until the transaction ends when asked for.

    Raises:
        UnreadableState: what is stored is no JSON.
    """
    query = select(sync_state.c.value).where(sync_state.c.name == name)
    try:
        return connection.execute(query.with_for_update() if lock else query).scalar_one_or_none()
    except (ValueError, TypeError):
        raise UnreadableState(name) from None


def set_aside_unreadable(connection: Connection, names: Iterable[str], *, now: datetime) -> None:
    """Rename what is stored under these names where it is no JSON, so that new values can be stored.

    For values that nothing depends on. The renamed row stays for a person to look at.
    """
    for name in names:
        try:
            get_state(connection, name)
        except UnreadableState:
            aside = f"{name} unreadable {now:%Y-%m-%d %H:%M:%S}"
            connection.execute(update(sync_state).where(sync_state.c.name == name).values(name=aside))


def put_state(connection: Connection, name: str, value: Any, *, now: datetime) -> None:
    """Store a JSON value under `name`.

    Raises:
        ValueError: it is not JSON, or the name is longer than 100 characters.
    """
    counts = upsert(connection, sync_state, [{"name": name, "value": value}], key=("name",), now=now)
    if counts.rejected_rows or counts.shortened:
        raise ValueError(f"state {name} cannot be stored: {counts.rejected_rows or 'not JSON, or too large'}")


def advance_state(connection: Connection, name: str, instant: datetime, *, now: datetime) -> None:
    """Store until when something was done; a run that began before the newest one does not set it back."""
    known = get_state(connection, name)
    newest = None if known is None else datetime.fromisoformat(known)
    put_state(connection, name, not_before(instant, newest, now).isoformat(), now=now)


def remove_state(connection: Connection, name: str) -> None:
    """Forget what is stored under `name`."""
    connection.execute(delete(sync_state).where(sync_state.c.name == name))
