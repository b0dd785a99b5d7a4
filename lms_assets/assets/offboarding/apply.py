"""Carrying out a reviewed offboarding plan: checked against today's facts, a bounded number a day, each answer kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import groupby

from lms_assets.assets.offboarding.facts import Facts, PlanRefused, everybody_groups, refuse_old_data
from lms_assets.assets.offboarding.recheck import NO_MEMBER, Known, Recheck
from lms_assets.domain.counting.push_plan import in_batches
from lms_assets.domain.rules import Rules
from lms_assets.domain.wording import number_of
from lms_assets.vendors.impartner.client import ImpartnerClient
from lms_assets.vendors.northpass.client import NorthpassClient
from lms_assets.vendors.transport.errors import VendorError
from lms_assets.warehouse.engine import Connection, Warehouse
from lms_assets.warehouse.state.offboarding_plans import (
    OPEN_ITEMS,
    PlanItem,
    finish_plan,
    items_of,
    note_answers,
    note_dropped,
    note_failure,
    note_sending,
    plan_row,
    removals_sent_since,
)

OLDEST = timedelta(days=1)
A_DAY = timedelta(days=1)
BATCH = 50
"""People in one call (Northpass API, endpoints)."""


class OffboardingRun:
    """One application of one plan; made again after an interruption, it goes on where that one stopped.

    Attributes:
        done: removals carried out by this run. left: those still open when it ended.
        dropped: removals that were not sent because what they rest on has changed at a vendor, with the reason.
    """

    def __init__(self, warehouse: Warehouse, rules: Rules, plan_id: int, *, now: datetime) -> None:
        self._warehouse = warehouse
        self._rules = rules
        self._plan_id = plan_id
        self._now = now
        self.done = 0
        self.left = 0
        self.dropped: dict[PlanItem, str] = {}

    def batches(self) -> list[list[PlanItem]]:
        """What may be sent now: open removals group by group, 50 a call, as many as the day still allows.

        Raises:
            PlanRefused: switched off, no such plan, not reviewed, too old, of old data, or its facts have changed.
        """
        limit = self._rules.offboarding_removals_per_day
        if limit < 1:
            raise PlanRefused("Applying plans is off; set offboarding_removals_per_day in LMS_RULES_FILE to allow it.")
        with self._warehouse.read() as connection:
            items = self._checked_items(connection)
            everybody = set(everybody_groups(connection, self._rules))
            sent = removals_sent_since(connection, self._now - A_DAY)
        # Out of everybody's group first: who is still in a partner's own group can still be planned tomorrow.
        items = tuple(sorted(items, key=lambda item: (item.removal.group_id not in everybody, item.removal.group_id)))
        waiting = [item for item in items if item.status in OPEN_ITEMS]
        # An interrupted removal was counted when it was sent.
        resumed = [item for item in waiting if item.sent_at is not None and item.sent_at >= self._now - A_DAY]
        fresh = [item for item in waiting if item not in resumed][: max(0, limit - sent)]
        self.left = len(waiting)
        chosen = {item.id for item in (*resumed, *fresh)}
        return list(_in_calls([item for item in waiting if item.id in chosen]))

    def _checked_items(self, connection: Connection) -> tuple[PlanItem, ...]:
        plan = plan_row(connection, self._plan_id)
        if plan is None:
            raise PlanRefused(f"There is no offboarding plan {self._plan_id}.")
        if plan.status not in ("reviewed", "applying") or not plan.reviewed_by:
            raise PlanRefused(f"Plan {plan.id} is {plan.status}; only one that somebody has reviewed is applied.")
        if self._now - plan.created_at > OLDEST:
            raise PlanRefused(f"Plan {plan.id} is more than a day old; make a new one and have it reviewed.")
        items = items_of(connection, plan.id)
        if any(item.status in OPEN_ITEMS for item in items):
            refuse_old_data(connection, self._now)
        done = [(item.removal.group_id, item.removal.user_id) for item in items if item.status not in OPEN_ITEMS]
        today = set(Facts.of(connection, self._rules, also_members=done).removals())
        changed = [item for item in items if item.status in OPEN_ITEMS and item.removal not in today]
        if changed:
            sample = ", ".join(f"{item.removal.user_id} in {item.removal.group_id}" for item in changed[:5])
            raise PlanRefused(
                f"The facts of {number_of(len(changed), 'removal')} of plan {plan.id} have changed ({sample}). "
                "Nothing was sent; make a new plan and have it reviewed."
            )
        return items

    def recheck(self, crm: ImpartnerClient, lms: NorthpassClient) -> Recheck:
        """What asks both vendors again for what the plan rests on."""
        with self._warehouse.read() as connection:
            known = Known.of(connection, self._rules, items_of(connection, self._plan_id))
        return Recheck(crm, lms, self._rules, known)

    def send(self, client: NorthpassClient, planned: list[PlanItem], recheck: Recheck) -> None:
        """Take one batch, all of one group, out of it, without those for whom something has changed; keep each answer.

        Raises:
            VendorError: it could not be carried out; it stays open.
            PlanRefused: the CRM's answers prove nothing.
        """
        batch = self._without_changed(planned, recheck.changed(planned))
        if not batch:
            return
        now = self._now
        self._warehouse.in_transaction(lambda connection: note_sending(connection, self._plan_id, batch, now=now))
        group_id = batch[0].removal.group_id
        try:
            results = client.remove_members(group_id, [item.removal.user_id for item in batch])
        except VendorError as error:
            problem, status = str(error), error.status
            self._warehouse.in_transaction(lambda connection: note_failure(connection, batch, problem, status, now=now))
            raise
        outcome = {each.person_id: each.outcome.value for each in results}
        answers = {item: outcome[item.removal.user_id] for item in batch}
        self._warehouse.in_transaction(lambda connection: note_answers(connection, answers, now=now))
        self.done += len(batch)
        self.left -= len(batch)

    def _without_changed(self, planned: list[PlanItem], changed: Mapping[PlanItem, str]) -> list[PlanItem]:
        """What is left to send. Who was sent before and is no member any more was taken out by that."""
        now, gone = self._now, [item for item in changed if item.sent_at is not None and changed[item] == NO_MEMBER]
        dropped = {item: reason for item, reason in changed.items() if item not in gone}
        if changed:
            answers = dict.fromkeys(gone, "missing")
            self._warehouse.in_transaction(lambda connection: note_answers(connection, answers, now=now))
            self._warehouse.in_transaction(lambda connection: note_dropped(connection, dropped, now=now))
        self.dropped |= dropped
        self.done += len(gone)
        self.left -= len(changed)
        return [item for item in planned if item not in changed]

    def finish(self) -> None:
        """Close the plan when nothing of it is left."""
        if self.left == 0:
            self._warehouse.in_transaction(lambda connection: finish_plan(connection, self._plan_id, now=self._now))


def _in_calls(items: list[PlanItem]) -> Iterator[list[PlanItem]]:
    for _, of_group in groupby(items, key=lambda item: item.removal.group_id):
        for batch in in_batches(list(of_group), BATCH):
            yield list(batch)
