"""Small facts that one run leaves for the next, by name (`sync_state`)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select

from lms_assets.domain.run_instants import not_before
from lms_assets.warehouse.sync import upsert
from lms_assets.warehouse.tables import sync_state

__all__ = ["advance_state", "get_state", "put_state", "remove_state"]


def get_state(connection: Connection, name: str) -> Any:
    """The JSON value stored under `name`, None when there is none."""
    return connection.execute(select(sync_state.c.value).where(sync_state.c.name == name)).scalar_one_or_none()


def put_state(connection: Connection, name: str, value: Any, *, now: datetime) -> None:
    """Store a JSON value under `name`.

    Raises:
        ValueError: it is not JSON, or the name is longer than 100 characters.
    """
    counts = upsert(connection, sync_state, [{"name": name, "value": value}], key=("name",), now=now)
    if counts.misfits or counts.shortened:
        raise ValueError(f"state {name} cannot be stored: {counts.misfits or 'not JSON, or too large'}")


def advance_state(connection: Connection, name: str, instant: datetime, *, now: datetime) -> None:
    """Store until when something was done; a run that began before the newest one does not set it back."""
    known = get_state(connection, name)
    newest = None if known is None else datetime.fromisoformat(known)
    put_state(connection, name, not_before(instant, newest, now).isoformat(), now=now)


def remove_state(connection: Connection, name: str) -> None:
    """Forget what is stored under `name`."""
    connection.execute(delete(sync_state).where(sync_state.c.name == name))
