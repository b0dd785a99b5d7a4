"""The ledger of certifications (`partner_certifications`): what every count is made of, now and at past countings.

A row is valid from the counting that found it until the counting that no longer did. Rows are opened and closed, never
edited, so the table answers as of any instant since `Ledger.since`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, and_, delete, func, or_, select, update

from lms_assets.domain.counting.certifications import Assessed, PartnerCounts, Tally, Verdict, Via
from lms_assets.domain.counting.holdings import Held
from lms_assets.domain.records.dates import LATEST
from lms_assets.domain.sync_plans.counts import Ledger, LedgerPlan
from lms_assets.warehouse.schema.tables import lms_courses, partner_certifications
from lms_assets.warehouse.sync_state import get_state, put_state
from lms_assets.warehouse.upsert.compare import chunks
from lms_assets.warehouse.upsert.counts import SyncCounts
from lms_assets.warehouse.upsert.write import insert_rows

_STATE = "partner_certifications"
_CRM = "crm:"
c = partner_certifications.c


def read_ledger(connection: Connection, *, lock: bool = False) -> Ledger | None:
    """What the ledger stands on, None before its first counting.

    Args:
        lock: nobody else writes the ledger until this transaction ends.
    """
    state = get_state(connection, _STATE, lock=lock)
    if state is None:
        return None
    return Ledger(
        as_of=datetime.fromisoformat(state["as_of"]),
        written_at=datetime.fromisoformat(state["written_at"]),
        without_all=tuple(state["without_all"]),
        people={int(key): number for key, number in state["people"].items()},
        since=datetime.fromisoformat(state["since"]),
    )


def write_ledger(connection: Connection, plan: LedgerPlan, *, now: datetime) -> SyncCounts:
    """Make the open rows equal to the plan's: those that are no longer so are closed, new ones opened, others stay.

    A counting that a wrong clock dated into the future is taken back: its rows were never valid.

    Raises:
        ValueError: another counting was written since the rows were judged.
    """
    before, ledger, rows = read_ledger(connection, lock=True), plan.ledger, plan.rows
    ours = before is not None and before.written_at == ledger.written_at
    if not ours and (before.as_of if before else None) != plan.newest:
        raise ValueError("the ledger was written by another run while this one judged; run it again")
    at = ledger.as_of.replace(microsecond=0)
    if before is not None and before.as_of > ledger.as_of:
        _take_back(connection, at)
    missing, gone = dict(rows), []
    for row_id, of_row in connection.execute(select(c.id, c.fingerprint).where(c.valid_to.is_(None))):
        if missing.pop(of_row, None) is None:
            gone.append(row_id)
    for part in chunks(gone):
        connection.execute(update(partner_certifications).where(c.id.in_(part)).values(valid_to=at))
    for batch in chunks(missing.items()):
        insert_rows(connection, partner_certifications, [_values(item, of_row, at) for of_row, item in batch])
    since = before.since if before and before.since else at
    put_state(connection, _STATE, _state(ledger, min(since, at)), now=now)
    return SyncCounts(created=len(missing), deactivated=len(gone), unchanged=len(rows) - len(missing))


def ledger_counts(
    connection: Connection, partner_ids: Iterable[int], gtm_category: str, *, at: datetime | None = None
) -> dict[int, PartnerCounts]:
    """The sums over the counted rows, by partner: as of now, or as they were known at an instant.

    Args:
        partner_ids: are there even with nothing.
    """
    tallies = {partner_id: Tally() for partner_id in partner_ids}
    query = select(c.partner_id, c.category, c.npcu, func.count()).where(c.counted.is_(True), _valid(at))
    for partner_id, category, npcu, times in connection.execute(query.group_by(c.partner_id, c.category, c.npcu)):
        tallies.setdefault(partner_id, Tally()).add(category, npcu, times)
    return {partner_id: tally.counts(partner_id, gtm_category) for partner_id, tally in tallies.items()}


def ledger_items(
    connection: Connection, *, at: datetime | None = None, partner_id: int | None = None, counted: bool = False
) -> Iterator[Assessed]:
    """The rows as of now or as they were known at an instant, by partner, person and course.

    Args:
        partner_id: of one partner only.
        counted: only what counts.
    """
    query = select(partner_certifications, lms_courses.c.name).select_from(
        partner_certifications.outerjoin(lms_courses, lms_courses.c.id == c.course_id)
    )
    query = query.where(_valid(at)).order_by(c.partner_id, c.user_id, c.course_id)
    if partner_id is not None:
        query = query.where(c.partner_id == partner_id)
    if counted:
        query = query.where(c.counted.is_(True))
    for row in connection.execute(query):
        verdict = Verdict(row.verdict)
        yield Assessed(
            partner_id=row.partner_id,
            user_id=row.user_id,
            course_id=row.course_id,
            course_name=row.name or row.course_id,
            category=row.category,
            npcu=row.npcu,
            enrollment_id=row.enrollment_id,
            completed_at=row.completed_at,
            expires_at=row.expires_at,
            via=_ways(row.group_ids, row.contact_ids),
            verdict=verdict,
            other=row.reason if verdict is Verdict.NOT_A_PARTNER_USER else None,
        )


def ledger_periods(connection: Connection) -> Iterator[Held]:
    """Everything that ever counted, from which counting until which; what counts now is without end (`LATEST`)."""
    columns = (c.partner_id, c.user_id, c.course_id, func.coalesce(lms_courses.c.name, c.course_id), c.category,
               c.npcu, c.completed_at, c.expires_at, c.valid_from, c.valid_to)  # fmt: skip
    named = partner_certifications.outerjoin(lms_courses, lms_courses.c.id == c.course_id)
    for row in connection.execute(select(*columns).select_from(named).where(c.counted.is_(True))):
        held = Held._make(row)
        yield held if held.end else held._replace(end=LATEST)


def forget_closed_before(connection: Connection, before: datetime, *, now: datetime) -> int:
    """Remove rows closed before an instant (UTC); what was known earlier can no longer be read. Gives how many."""
    ledger = read_ledger(connection, lock=True)
    if ledger is None:
        return 0
    removed = connection.execute(delete(partner_certifications).where(c.valid_to < before)).rowcount
    if ledger.since is not None and ledger.since < before:
        put_state(connection, _STATE, _state(ledger, before), now=now)
    return removed


def _valid(at: datetime | None) -> ColumnElement[bool]:
    return c.valid_to.is_(None) if at is None else and_(c.valid_from <= at, or_(c.valid_to.is_(None), c.valid_to > at))


def _take_back(connection: Connection, at: datetime) -> None:
    """Close what a counting after `at` opened, at the instant at which it opened; close earlier ones at `at`."""
    closed_later = update(partner_certifications).where(c.valid_to > at, c.valid_from <= at).values(valid_to=at)
    opened_later = update(partner_certifications).where(c.valid_from > at).values(valid_to=c.valid_from)
    for statement in (closed_later, opened_later):
        connection.execute(statement)


def _values(item: Assessed, of_row: str, at: datetime) -> dict[str, Any]:
    groups = [via.id for via in item.via if via.kind == "group"]
    contacts = [via.id if via.kind == "contact" else _CRM + via.id for via in item.via if via.kind != "group"]
    return {
        "partner_id": item.partner_id,
        "user_id": item.user_id,
        "course_id": item.course_id,
        "enrollment_id": item.enrollment_id,
        "category": item.category,
        "npcu": item.npcu,
        "completed_at": item.completed_at,
        "expires_at": item.expires_at,
        "belongs_by": _belongs_by(bool(groups), bool(contacts)),
        "group_ids": " ".join(groups),
        "contact_ids": " ".join(contacts),
        "verdict": item.verdict.value,
        "reason": item.reason,
        "counted": item.counted,
        "fingerprint": of_row,
        "valid_from": at,
    }


def _belongs_by(group: bool, contact: bool) -> Literal["group", "contact", "both"]:
    if group and contact:
        return "both"
    return "group" if group else "contact"


def _ways(groups: str, contacts: str) -> tuple[Via, ...]:
    of_contacts = [
        Via("crm_contact", each.removeprefix(_CRM)) if each.startswith(_CRM) else Via("contact", each)
        for each in contacts.split()
    ]
    return tuple(sorted([*(Via("group", each) for each in groups.split()), *of_contacts]))


def _state(ledger: Ledger, since: datetime) -> dict[str, Any]:
    return {
        "as_of": ledger.as_of.isoformat(),
        "written_at": ledger.written_at.isoformat(),
        "since": since.isoformat(),
        "without_all": sorted(ledger.without_all),
        "people": {str(key): number for key, number in ledger.people.items()},
    }
