"""Carrying out a reviewed offboarding plan: checked against today's facts, a bounded number a day, each answer kept.

Made again after an interruption, it goes on where that one stopped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from lms_assets.assets.offboarding.plan import Facts, everybody_groups, refuse_old_data
from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.offboarding import (
    A_DAY,
    OPEN_ITEMS,
    Batch,
    DueRemovals,
    PlanItem,
    PlanRefused,
    due_removals,
    refuse_changed,
    require_reviewed,
)
from lms_assets.vendors.northpass.client import NorthpassClient
from lms_assets.vendors.transport.errors import VendorError
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.state.offboarding_plans import (
    finish_plan,
    items_of,
    note_answers,
    note_dropped,
    note_failure,
    note_sending,
    plan_row,
    removals_sent_since,
)


@dataclass
class Applied:
    """What became of a plan: removals carried out, those not sent with the reason, and how many are still open."""

    left: int
    done: int = 0
    dropped: dict[PlanItem, str] = field(default_factory=dict)

    def add(self, batch: Batch) -> None:
        """Count one more call."""
        done = len(batch.send) + len(batch.gone)
        self.done += done
        self.dropped |= batch.dropped
        self.left -= done + len(batch.dropped)


def plan_removals(warehouse: Warehouse, rules: Rules, plan_id: int, *, now: datetime) -> DueRemovals:
    """What of the plan may be sent now, by today's facts. Reads only.

    Raises:
        PlanRefused: switched off, no such plan, not reviewed, too old, of old data, or its facts have changed.
    """
    limit = rules.offboarding_removals_per_day
    if limit < 1:
        raise PlanRefused("Applying plans is off; set offboarding_removals_per_day in LMS_RULES_FILE to allow it.")
    with warehouse.read() as connection:
        plan = require_reviewed(plan_row(connection, plan_id), plan_id, now)
        items = items_of(connection, plan.id)
        if any(item.status in OPEN_ITEMS for item in items):
            refuse_old_data(connection, now)
        done = [(item.removal.group_id, item.removal.user_id) for item in items if item.status not in OPEN_ITEMS]
        today = set(Facts.of(connection, rules, also_members=done).removals())
        everybody = set(everybody_groups(connection, rules))
        sent = removals_sent_since(connection, now - A_DAY)
    refuse_changed(plan.id, items, today)
    return due_removals(items, everybody=everybody, limit=limit, sent=sent, now=now)


def send_batch(warehouse: Warehouse, plan_id: int, client: NorthpassClient, batch: Batch, *, now: datetime) -> None:
    """Note what is not sent, take the others, all of one group, out of it, and keep each answer.

    Raises:
        VendorError: it could not be carried out; it stays open.
    """
    if batch.gone or batch.dropped:
        answers = dict.fromkeys(batch.gone, "missing")
        warehouse.in_transaction(lambda connection: note_answers(connection, answers, now=now))
        warehouse.in_transaction(lambda connection: note_dropped(connection, batch.dropped, now=now))
    if not batch.send:
        return
    warehouse.in_transaction(lambda connection: note_sending(connection, plan_id, batch.send, now=now))
    try:
        results = client.remove_members(batch.send[0].removal.group_id, [item.removal.user_id for item in batch.send])
    except VendorError as error:
        problem, status = str(error), error.status
        warehouse.in_transaction(lambda connection: note_failure(connection, batch.send, problem, status, now=now))
        raise
    outcome = {each.person_id: each.outcome.value for each in results}
    found = {item: outcome[item.removal.user_id] for item in batch.send}
    warehouse.in_transaction(lambda connection: note_answers(connection, found, now=now))


def finish(warehouse: Warehouse, plan_id: int, applied: Applied, *, now: datetime) -> None:
    """Close the plan when nothing of it is left."""
    if applied.left == 0:
        warehouse.in_transaction(lambda connection: finish_plan(connection, plan_id, now=now))
