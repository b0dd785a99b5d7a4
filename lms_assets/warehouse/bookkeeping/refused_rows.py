"""Rows that the database refused, and whose counts rest on them (`sync_state`), until they are stored or gone.

A refused row is missing or stays as it was, so that a count which rests on it may be wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from lms_assets.warehouse.schema.tables import contacts, lms_groups
from lms_assets.warehouse.sync_state import get_state, put_state
from lms_assets.warehouse.upsert.counts import RejectedRow

REFUSED = "row_refused_by_database"
"""The kind of these rows in `sync_failures.entity_type`."""

_STATE = "rows_refused"
_KINDS = ("partners", "people", "courses")

Ids = dict[str, list[Any]]


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """One row: the asset it belongs to and its id, and the ids of what its counts rest on."""

    asset: str
    entity_id: str
    partners: frozenset[int]
    people: frozenset[str]
    courses: frozenset[str]


def refused_rows(connection: Connection) -> tuple[RefusedRow, ...]:
    """Every row that is refused and neither stored nor gone since."""
    stored: Mapping[str, Mapping[str, Ids]] = get_state(connection, _STATE) or {}
    return tuple(
        RefusedRow(asset, entity_id, *(frozenset(ids.get(kind, ())) for kind in _KINDS))
        for asset, rows in stored.items()
        for entity_id, ids in rows.items()
    )


def note_refused(
    connection: Connection,
    asset: str,
    rejected_rows: Iterable[RejectedRow],
    *,
    complete: bool,
    right: Container[str],
    now: datetime,
) -> set[str]:
    """Bring the refused rows of one asset up to date; gives the ids of those that are over.

    Args:
        rejected rows: what was refused this time.
        complete: every row of the asset was written, so that whatever was not refused is over.
        right: otherwise, ids of the records, or of the people, that came through this time.
    """
    stored: dict[str, dict[str, Ids]] = get_state(connection, _STATE) or {}
    before = stored.get(asset, {})
    rows = {rejected_row.name: _rests_on(connection, asset, rejected_row) for rejected_row in rejected_rows}

    def is_over(entity_id: str, ids: Ids) -> bool:
        return complete or entity_id in right or any(person in right for person in ids.get("people", ()))

    over = {key for key, ids in before.items() if key not in rows and is_over(key, ids)}
    after = {key: ids for key, ids in before.items() if key not in over} | rows
    if after != before:
        put_state(connection, _STATE, {**stored, asset: after}, now=now)
    return over


def _rests_on(connection: Connection, asset: str, rejected_row: RejectedRow) -> Ids:
    finder = _FINDERS.get(asset)
    found = finder(connection, rejected_row) if finder else {}
    return {kind: sorted({each for each in ids if each is not None}) for kind, ids in found.items()}


def _partner(_: Connection, rejected_row: RejectedRow) -> Ids:
    return {"partners": [rejected_row.key[0]]}


def _contact(connection: Connection, rejected_row: RejectedRow) -> Ids:
    query = select(contacts.c.partner_id).where(contacts.c.id == rejected_row.key[0])
    return {"partners": [rejected_row.values.get("partner_id"), connection.execute(query).scalar_one_or_none()]}


def _user(connection: Connection, rejected_row: RejectedRow) -> Ids:
    """The person, and the partners of contacts with the address that could not be stored."""
    email = rejected_row.values.get("email")
    query = select(contacts.c.partner_id).where(contacts.c.email == email)
    partners = connection.execute(query).scalars() if email else ()
    return {"people": [rejected_row.key[0]], "partners": list(partners)}


def _group(connection: Connection, rejected_row: RejectedRow) -> Ids:
    return {"partners": [rejected_row.values.get("partner_id"), _partner_of_group(connection, rejected_row.key[0])]}


def _membership(connection: Connection, rejected_row: RejectedRow) -> Ids:
    """A membership, or a person whom only the members' lists name."""
    if len(rejected_row.key) == 1:
        return _user(connection, rejected_row)
    return {"partners": [_partner_of_group(connection, rejected_row.key[0])]}


def _partner_of_group(connection: Connection, group_id: str) -> int | None:
    query = select(lms_groups.c.partner_id).where(lms_groups.c.id == group_id)
    return connection.execute(query).scalar_one_or_none()


def _enrollment(_: Connection, rejected_row: RejectedRow) -> Ids:
    return {"people": [rejected_row.values.get("user_id")]}


def _course(_: Connection, rejected_row: RejectedRow) -> Ids:
    return {"courses": [rejected_row.key[0]]}


_FINDERS: Mapping[str, Callable[[Connection, RejectedRow], Ids]] = {
    "partners": _partner,
    "contacts": _contact,
    "users": _user,
    "groups": _group,
    "memberships": _membership,
    "enrollments": _enrollment,
    "courses": _course,
    "course_npcu": _course,
}
