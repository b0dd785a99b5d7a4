"""The rows of `sync_failures`: each record that cannot be used, once, until it is corrected.

And rows that the database refused (`sync_state`), until they are stored or gone: such a row is missing or stays as it
was, so that a count which rests on it may be wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, select, update

from lms_assets.domain.records.values import Rejected
from lms_assets.redaction import scrub
from lms_assets.warehouse.schema.tables import contacts, lms_groups, sync_failures
from lms_assets.warehouse.sync_state import get_state, put_state
from lms_assets.warehouse.upsert.compare import chunks
from lms_assets.warehouse.upsert.counts import RejectedRow
from lms_assets.warehouse.upsert.write import insert_rows

_RESOLVED = "corrected, or gone at the source"


@dataclass(frozen=True, slots=True)
class RecordFailure:
    """A record that cannot be used. `reason` and `details` hold no personal data."""

    entity_type: str
    entity_id: str
    reason: str
    details: str | None = None
    http_status: int | None = None


def replace_failures(
    connection: Connection,
    sync_type: str,
    entity_type: str,
    bad: Iterable[Rejected | RejectedRow | RecordFailure],
    *,
    now: datetime,
    complete: bool = True,
    right: Container[str] = frozenset(),
) -> int:
    """Bring the open failures of one kind of record up to date; gives how many are new.

    A record that fails as before keeps its row untouched, `occurred_at` included; another reason refreshes the row.

    Args:
        bad: everything that failed this time: what a rule could not read, and the rejected rows of a sync.
        complete: all records of this kind were read, so that whatever did not fail is corrected or gone.
        right: otherwise, ids of the records that came through this time.
    """
    failing = {failure.entity_id: failure for failure in (_failure(entity_type, each) for each in bad)}
    known: set[str] = set()
    resolved: list[int] = []
    for row in connection.execute(_open(sync_type, entity_type)).all():
        entity_id = row.entity_id or ""
        failure = failing.get(entity_id)
        if failure is not None and entity_id not in known:
            known.add(entity_id)
            if row.failure_reason != failure.reason:
                values = {**_values(failure), "occurred_at": now}
                connection.execute(update(sync_failures).where(sync_failures.c.id == row.id).values(values))
        elif failure is not None or complete or entity_id in right:
            resolved.append(row.id)
    for part in chunks(resolved):
        statement = update(sync_failures).where(sync_failures.c.id.in_(part))
        connection.execute(statement.values(resolved_at=now, resolution_action=_RESOLVED))
    rows = [
        {"sync_type": sync_type, "occurred_at": now, **_values(failure)}
        for entity_id, failure in failing.items()
        if entity_id not in known
    ]
    insert_rows(connection, sync_failures, rows)
    return len(rows)


def open_failures(connection: Connection, sync_type: str, entity_type: str | None = None) -> tuple[RecordFailure, ...]:
    """Failures of one sync that are not resolved, oldest first."""
    rows = connection.execute(_open(sync_type, entity_type))
    return tuple(
        RecordFailure(r.entity_type, r.entity_id or "", r.failure_reason or "", r.error_details, r.http_status)
        for r in rows
    )


def open_failure_counts(connection: Connection) -> dict[str, int]:
    """How many records of each sync cannot be used at the moment, by sync type; a sync without one is not there."""
    c = sync_failures.c
    query = select(c.sync_type, func.count()).where(c.resolved_at.is_(None)).group_by(c.sync_type)
    return {row[0]: row[1] for row in connection.execute(query)}


def open_failures_before(connection: Connection, sync_type: str, before: datetime) -> frozenset[str]:
    """Ids of the records of one sync that have failed since before an instant (UTC)."""
    query = _open(sync_type, None).where(sync_failures.c.occurred_at < before)
    return frozenset(row.entity_id or "" for row in connection.execute(query))


def _failure(entity_type: str, bad: Rejected | RejectedRow | RecordFailure) -> RecordFailure:
    """In the form in which it is stored, so that it can be compared."""
    if isinstance(bad, RejectedRow):
        return RecordFailure(entity_type, bad.name[:255], scrub(bad.reason, 500))
    details = scrub(bad.details) if isinstance(bad, RecordFailure) and bad.details else None
    http_status = bad.http_status if isinstance(bad, RecordFailure) else None
    return RecordFailure(entity_type, bad.entity_id[:255], scrub(bad.reason, 500), details, http_status)


def _open(sync_type: str, entity_type: str | None) -> Select[Any]:
    c = sync_failures.c
    query = select(sync_failures).where(c.sync_type == sync_type, c.resolved_at.is_(None)).order_by(c.id)
    return query if entity_type is None else query.where(c.entity_type == entity_type)


def _values(failure: RecordFailure) -> dict[str, object]:
    return {
        "entity_type": failure.entity_type,
        "entity_id": failure.entity_id,
        "failure_reason": failure.reason,
        "error_details": failure.details,
        "http_status": failure.http_status,
    }


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
