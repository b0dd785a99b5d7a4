"""Offboarding plans (`lms_offboarding_plans`) and their removals: written, reviewed, applied item by item."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, true, update
from sqlalchemy.sql.elements import ColumnElement

from lms_assets.domain.safety.offboarding import Plan, PlanItem, Removal
from lms_assets.redaction import scrub
from lms_assets.warehouse.schema.tables import lms_group_members, lms_offboarding_items, lms_offboarding_plans
from lms_assets.warehouse.upsert.compare import chunks
from lms_assets.warehouse.upsert.upsert import delete_rows


def write_plan(
    connection: Connection, removals: Sequence[Removal], *, digest: str, summary: Mapping[str, Any], now: datetime
) -> int:
    """Write a new plan and give its id; plans that nobody has reviewed are superseded by it."""
    c = lms_offboarding_plans.c
    connection.execute(update(lms_offboarding_plans).where(c.status == "proposed").values(status="superseded"))
    values = {"created_at": now, "status": "proposed", "facts_digest": digest, "summary": dict(summary)}
    result = connection.execute(insert(lms_offboarding_plans).values(values))
    plan_id = int((result.inserted_primary_key or (0,))[0])
    for part in chunks(removals):
        rows = [
            {
                "plan_id": plan_id,
                "group_id": each.group_id,
                "user_id": each.user_id,
                "partner_id": each.partner_id,
                "reason": each.reason[:255],
                "status": "planned",
            }
            for each in part
        ]
        connection.execute(insert(lms_offboarding_items), rows)
    return plan_id


def plan_row(connection: Connection, plan_id: int) -> Plan | None:
    """A plan by its id; None when there is none."""
    return next(iter(_plans(connection, lms_offboarding_plans.c.id == plan_id)), None)


def newest_plans(connection: Connection, limit: int = 20) -> tuple[Plan, ...]:
    """The newest plans, newest first."""
    return _plans(connection, true())[:limit]


def _plans(connection: Connection, which: ColumnElement[bool]) -> tuple[Plan, ...]:
    c = lms_offboarding_plans.c
    query = select(c.id, c.created_at, c.status, c.reviewed_by, c.reviewed_at, c.summary)
    rows = connection.execute(query.where(which).order_by(c.id.desc()))
    return tuple(Plan(*row[:5], row[5] or {}) for row in rows)


def note_review(connection: Connection, plan_id: int, *, by: str, now: datetime) -> bool:
    """Note that a person has looked at a proposed plan and agrees; False when it is not, or no longer, proposed."""
    c = lms_offboarding_plans.c
    reviewed = {"status": "reviewed", "reviewed_by": by[:255], "reviewed_at": now}
    statement = update(lms_offboarding_plans).where(c.id == plan_id, c.status == "proposed").values(reviewed)
    return connection.execute(statement).rowcount == 1


def items_of(connection: Connection, plan_id: int) -> tuple[PlanItem, ...]:
    """Every removal of a plan, group by group."""
    c = lms_offboarding_items.c
    query = select(c.id, c.group_id, c.user_id, c.partner_id, c.reason, c.status, c.sent_at, c.error)
    rows = connection.execute(query.where(c.plan_id == plan_id).order_by(c.group_id, c.user_id))
    return tuple(PlanItem(row[0], Removal(*row[1:5]), *row[5:8]) for row in rows)


def removals_sent_since(connection: Connection, since: datetime) -> int:
    """How many removals of any plan were sent since an instant."""
    c = lms_offboarding_items.c
    return int(connection.execute(select(func.count()).where(c.sent_at >= since)).scalar_one())


def note_sending(connection: Connection, plan_id: int, items: Iterable[PlanItem], *, now: datetime) -> None:
    """Note, before it happens, that these are sent now."""
    c = lms_offboarding_items.c
    ids = [each.id for each in items]
    connection.execute(update(lms_offboarding_items).where(c.id.in_(ids)).values(status="sent", sent_at=now))
    plan = lms_offboarding_plans.c.id == plan_id
    connection.execute(update(lms_offboarding_plans).where(plan).values(status="applying"))


def note_answers(connection: Connection, answers: Mapping[PlanItem, str], *, now: datetime) -> None:
    """Note what became of removals that were sent, and take the memberships out of the portal."""
    c = lms_offboarding_items.c
    for item, outcome in answers.items():
        values = {"status": outcome, "answered_at": now, "error": None, "http_status": None}
        connection.execute(update(lms_offboarding_items).where(c.id == item.id).values(values))
    delete_rows(connection, lms_group_members, [(each.removal.group_id, each.removal.user_id) for each in answers])


def note_failure(
    connection: Connection, items: Iterable[PlanItem], error: str, http_status: int | None, *, now: datetime
) -> None:
    """Note that these could not be carried out; they are tried again when the plan is applied again."""
    values = {"status": "failed", "answered_at": now, "error": scrub(error, 1000), "http_status": http_status}
    ids = [each.id for each in items]
    connection.execute(update(lms_offboarding_items).where(lms_offboarding_items.c.id.in_(ids)).values(values))


def note_dropped(connection: Connection, reasons: Mapping[PlanItem, str], *, now: datetime) -> None:
    """Note removals that were not sent because what they rest on has changed at a vendor; they are over."""
    c = lms_offboarding_items.c
    for item, reason in reasons.items():
        values = {"status": "dropped", "answered_at": now, "error": scrub(reason, 1000), "http_status": None}
        connection.execute(update(lms_offboarding_items).where(c.id == item.id).values(values))


def finish_plan(connection: Connection, plan_id: int, *, now: datetime) -> None:
    """Nothing of the plan is left to do."""
    plan = lms_offboarding_plans.c.id == plan_id
    connection.execute(update(lms_offboarding_plans).where(plan).values(status="applied", applied_at=now))
