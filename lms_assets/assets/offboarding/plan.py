"""`lms_offboarding_plan`: who should leave which LMS group, and why. A plan for people to review; nothing is sent.

The plan as the warehouse's facts give it now is the same for writing one and for applying one.
"""

# No postponed annotations: Dagster reads the type of `context` from the function itself.
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

import dagster as dg

from lms_assets.assets.asset import asset_of
from lms_assets.assets.sync_run import sync_step
from lms_assets.checks.base import TOO_OLD
from lms_assets.domain.linking.partner_users import ContactFacts, GroupFacts, PersonFacts
from lms_assets.domain.records.groups import is_kept_group
from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.check_results import recent
from lms_assets.domain.safety.offboarding import PlanRefused, Removal, plan_id, plan_offboarding
from lms_assets.domain.schedule import CHAIN
from lms_assets.lineage import ENTRIES, SYNC_TYPES
from lms_assets.resources import WarehouseResource
from lms_assets.warehouse.bookkeeping import sync_log
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.reading.foundation import partner_activity
from lms_assets.warehouse.reading.people import contact_facts, group_facts, person_facts, stored_groups, stored_members
from lms_assets.warehouse.state.offboarding_plans import write_plan
from lms_assets.warehouse.upsert.upsert import SyncCounts

SOURCES = ENTRIES["lms_offboarding_plan"].deps
"""The assets whose rows a plan is made of."""


@dataclass(frozen=True)
class Facts:
    """Everything that decides who leaves which group (see `plan_offboarding`)."""

    partners: Mapping[int, bool]
    people: Mapping[str, PersonFacts]
    groups: tuple[GroupFacts, ...]
    members: tuple[tuple[str, str], ...]
    contacts: tuple[ContactFacts, ...]
    everybody: tuple[str, ...]
    """Ids of the groups of everybody with partner access."""

    @classmethod
    def of(cls, connection: Connection, rules: Rules, *, also_members: Iterable[tuple[str, str]] = ()) -> Self:
        """As the warehouse has them now.

        Args:
            also_members: (group, person) taken out already by the plan that is being carried out: what it has done
                itself must not count as a fact that changed.
        """
        everybody = everybody_groups(connection, rules)
        return cls(
            partner_activity(connection),
            person_facts(connection),
            (*group_facts(connection), *(GroupFacts(each, None) for each in everybody)),
            (*stored_members(connection), *also_members),
            contact_facts(connection),
            tuple(everybody),
        )

    def of_people(self, people: Collection[str]) -> Self:
        """Only what concerns these people."""
        return replace(
            self,
            members=tuple(each for each in self.members if each[1] in people),
            contacts=tuple(each for each in self.contacts if each.lms_user_id in people),
        )

    def removals(self) -> tuple[Removal, ...]:
        """Who would be taken out of which group, and why."""
        return plan_offboarding(
            self.partners, self.people, self.groups, self.members, self.contacts, everybody_group_ids=self.everybody
        )


def everybody_groups(connection: Connection, rules: Rules) -> list[str]:
    """Ids of the groups of everybody with partner access."""
    return [each.id for each in stored_groups(connection, active_only=True) if is_kept_group(each.name, rules)]


def refuse_old_data(connection: Connection, now: datetime) -> None:
    """Nobody is taken out of a group on account of data that a chain would not count with.

    Raises:
        PlanRefused: partners, contacts, people, groups or memberships were last synced too long ago.
    """
    completed = sync_log.last_completed(connection)
    for asset in SOURCES:
        entry = completed.get(SYNC_TYPES[asset])
        result = recent(entry.completed_at if entry else None, now, TOO_OLD, asset.capitalize())
        if not result.passed:
            raise PlanRefused(
                f"{result.description}. Run {CHAIN}, then make a new plan: lms-assets run offboarding_plan."
            )


SHOWN = 20


@asset_of("lms_offboarding_plan")
def lms_offboarding_plan(context: dg.AssetExecutionContext, warehouse: WarehouseResource) -> dg.MaterializeResult[Any]:
    """Write a new plan from what the last complete syncs say; an unreviewed older one is superseded by it."""
    with sync_step(context, warehouse, "lms_offboarding_plan") as step:
        with step.warehouse.read() as connection:
            refuse_old_data(connection, step.now)
            removals = Facts.of(connection, step.rules).removals()
        reasons = Counter(each.reason for each in removals)
        digest = plan_id(removals)

        def work(connection: Any) -> SyncCounts:
            summary = {"removals": len(removals), "people": len({each.user_id for each in removals})}
            step.metadata["plan"] = write_plan(connection, removals, digest=digest, summary=summary, now=step.now)
            return SyncCounts(created=len(removals))

        step.write(work, details={"facts_digest": digest, "removals": len(removals)})
        return step.result(
            len(removals),
            facts_digest=digest,
            people=len({each.user_id for each in removals}),
            reasons=[f"{reason}: {count}" for reason, count in reasons.most_common(SHOWN)],
        )
