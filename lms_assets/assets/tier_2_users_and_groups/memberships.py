"""`memberships`: the member list of every partner's group, several read at once, each judged for what it proves."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import dagster as dg

from lms_assets.assets.asset import asset_of
from lms_assets.assets.sync_run import Step, or_keep_last_good, stop_if_too_many, sync_step
from lms_assets.domain.records.groups import LmsGroup, StoredGroup, group_from_record, is_kept_group
from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.deactivation_limit import Leaving, check_deactivation_limit
from lms_assets.domain.sync_plans.memberships import (
    MemberList,
    MembershipPlan,
    MembersRead,
    SecondLook,
    judge_list,
    needs_second_look,
)
from lms_assets.resources import NorthpassResource, WarehouseResource
from lms_assets.vendors.listing import Reading, Record, as_it_is, read_until_stable
from lms_assets.vendors.northpass.client import NorthpassClient
from lms_assets.vendors.transport.errors import VendorError
from lms_assets.warehouse.bookkeeping.failures import RecordFailure
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.reading.foundation import partner_activity
from lms_assets.warehouse.reading.people import members_of, stored_groups
from lms_assets.warehouse.state.baselines import deactivated_lately
from lms_assets.warehouse.sync_state import get_state, put_state
from lms_assets.warehouse.upsert.children import add_members, mark_members_read, sync_members
from lms_assets.warehouse.upsert.upsert import SyncCounts

COUNT_GAPS = "member_count_gaps"


@asset_of("memberships")
def memberships(
    context: dg.AssetExecutionContext, northpass: NorthpassResource, warehouse: WarehouseResource
) -> dg.MaterializeResult[Any]:
    """Fetch the members of each partner's group. When that fails, the last good members stay and a check says so."""
    return or_keep_last_good(context, "memberships", lambda: _memberships(context, northpass, warehouse))


def _memberships(
    context: dg.AssetExecutionContext, northpass: NorthpassResource, warehouse: WarehouseResource
) -> dg.MaterializeResult[Any]:
    with sync_step(context, warehouse, "memberships") as step:
        with step.warehouse.read() as connection:
            known = _Known.of(connection, step.rules, step.now)
        with northpass.client() as client:
            plan = _read(step, client, known)
            step.used(client.http)
        left = plan.left
        leaving = [f"{group_id}/{user_id}" for group_id, people in left.items() for user_id in people]
        parts = {group_id: len(people) for group_id, people in left.items()}
        stop_if_too_many(step, "memberships", sum(map(len, plan.stored.values())), leaving, parts)
        failures = [RecordFailure("group_members", *doubt) for doubt in plan.doubts.items()]
        details = {
            "listing_complete": not plan.incomplete,
            "listing_reasons": [f"{failure.entity_id}: {failure.reason}" for failure in failures[:10]],
            "groups_read": len(plan.lists),
        }
        work = partial(write_memberships, plan=plan, now=step.now)
        step.write(work, failures=failures, complete=not plan.incomplete, details=details)
        return step.result(listed=sum(len(members) for members in plan.complete.values()), **_figures(plan))


@dataclass(frozen=True)
class _Known:
    """What the warehouse knows: the groups whose lists are read; group id to members, to how far the group's own count
    is ahead of its list, and to how many left it in the last 24 hours.
    """

    groups: Mapping[str, StoredGroup]
    members: Mapping[str, Collection[str]]
    gaps: Mapping[str, int]
    left_lately: Mapping[str, int]

    @classmethod
    def of(cls, connection: Connection, rules: Rules, now: datetime) -> "_Known":
        """As it is stored, of active partners' groups and those of everybody."""
        partners = partner_activity(connection)
        groups = {
            group.id: group
            for group in stored_groups(connection, active_only=True)
            if partners.get(group.partner_id or 0) or is_kept_group(group.name, rules)
        }
        return cls(
            groups,
            members_of(connection, groups),
            get_state(connection, COUNT_GAPS) or {},
            deactivated_lately(connection, "memberships", now),
        )


def _read(step: Step, client: NorthpassClient, known: _Known) -> MembershipPlan:
    """Read all lists. A group that cannot be read keeps its members and is named with the reason.

    Raises:
        VendorError: the vendor is down, or refuses the key.
        MassDeactivationStopped: one group would lose more than the deactivation limit allows.
    """
    results = client.for_each(list(known.groups), client.memberships)
    lists = []
    for group_id, result in step.counted(results, "groups", len(known.groups)):
        if isinstance(result, VendorError):
            lists.append(MemberList(group_id, frozenset(), f"{type(result).__name__}: {result.problem}"))
        else:
            lists.append(_judged(step, client, known, known.groups[group_id], _members_of(result)))
    return MembershipPlan(tuple(lists), known.members, known.gaps)


def _judged(step: Step, client: NorthpassClient, known: _Known, group: StoredGroup, first: MembersRead) -> MemberList:
    before, gap = known.members.get(group.id, ()), known.gaps.get(group.id, 0)
    if first.problem is None:
        missing = set(before) - first.members
        lately = known.left_lately.get(group.id, 0)
        leaving = Leaving("memberships", len(before), missing, lately, f"group {group.id}")
        check_deactivation_limit(leaving, step.rules, step.overrides)
    second = _second_look(client, group.id, step.rules) if needs_second_look(group, first, before, gap) else None
    return judge_list(group, first, before, gap, second)


def _second_look(client: NorthpassClient, group_id: str, rules: Rules) -> SecondLook:
    try:
        record = client.group(group_id)
        if record is None:
            return SecondLook(problem="the group is gone; its members go with it at the next sync of groups")
        again = read_until_stable(lambda: client.memberships(group_id, alternate_paging=True), convert=as_it_is)
    except VendorError as error:
        if error.stops_everything:
            raise
        return SecondLook(problem=f"it could not be read a second time: {error.problem}")
    group = group_from_record(record, rules)
    return SecondLook(_members_of(again), group.user_count if isinstance(group, LmsGroup) else None)


def _members_of(read: Reading[Record]) -> MembersRead:
    return MembersRead.of(read.records, complete=read.complete, reasons=read.reasons, not_found=read.not_found)


def write_memberships(connection: Connection, plan: MembershipPlan, now: datetime) -> SyncCounts:
    """Make complete lists' members equal, add those of the others, and note how far counts and lists differ."""
    put_state(connection, COUNT_GAPS, plan.gaps, now=now)
    mark_members_read(connection, plan.complete, now=now)
    counts = sync_members(connection, plan.complete, now=now)
    return counts + add_members(connection, plan.incomplete, now=now)


def _figures(plan: MembershipPlan) -> dict[str, Any]:
    """How many groups were read, and what was odd about them."""
    return {
        "groups_read": len(plan.complete),
        "groups_incomplete": len(plan.incomplete),
        "groups_without_members": sum(not members for members in plan.complete.values()),
    }
