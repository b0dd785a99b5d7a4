"""Reading the member list of every partner's group, several at once, and judging what each proves."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import dagster as dg

from lms_assets.assets.asset import asset_of
from lms_assets.assets.deactivation_limit import stop_if_too_many
from lms_assets.assets.sync_run import Step, or_keep_last_good, sync_step
from lms_assets.assets.tier_2_users_and_groups.users import link_contacts_to_users
from lms_assets.domain.records.groups import StoredGroup, group_from_record, is_kept_group, member_of
from lms_assets.domain.records.rejections import Rejected
from lms_assets.domain.records.users import LmsUser, user_from_person
from lms_assets.domain.safety.deactivation_limit import Leaving, check_deactivation_limit
from lms_assets.domain.safety.member_lists import count_gap, is_far_short, why_list_proves_nothing
from lms_assets.resources import NorthpassResource, WarehouseResource
from lms_assets.vendors.listing import Reading, Record, as_it_is, read_until_stable
from lms_assets.vendors.northpass.client import NorthpassClient
from lms_assets.vendors.transport.errors import VendorError
from lms_assets.warehouse import reading
from lms_assets.warehouse.bookkeeping.failures import RecordFailure
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.schema.tables import lms_users
from lms_assets.warehouse.state.deactivations import deactivated_lately
from lms_assets.warehouse.state.sync_state import get_state, put_state
from lms_assets.warehouse.upsert.children import add_members, mark_members_read, sync_members
from lms_assets.warehouse.upsert.upsert import SyncCounts, upsert

COUNT_GAPS = "member_count_gaps"
UNLISTED_ASKED = 2_000


@dataclass(frozen=True)
class Known:
    """What the warehouse knows: group id to members, to how far the group's own count is ahead of its list, and to how
    many left it in the last 24 hours.
    """

    members: Mapping[str, Collection[str]]
    gaps: Mapping[str, int]
    left_lately: Mapping[str, int]


@dataclass
class MemberLists:
    """`complete`: group id to its members, all of them. `incomplete`: members seen, which may not be all."""

    complete: dict[str, set[str]] = field(default_factory=dict)
    incomplete: dict[str, set[str]] = field(default_factory=dict)
    failures: list[RecordFailure] = field(default_factory=list)
    gaps: dict[str, int] = field(default_factory=dict)

    def doubt(self, group_id: str, members: set[str], reason: str) -> None:
        """Take the members seen, conclude nothing from who is missing, and say why."""
        self.incomplete[group_id] = members
        self.failures.append(RecordFailure("group_members", group_id, reason))

    def details(self) -> dict[str, Any]:
        """What the sync's log keeps."""
        return {
            "listing_complete": not self.incomplete,
            "listing_reasons": [f"{failure.entity_id}: {failure.reason}" for failure in self.failures[:10]],
            "groups_read": len(self.complete) + len(self.incomplete),
        }


def read_member_lists(
    step: Step,
    client: NorthpassClient,
    groups: Collection[StoredGroup],
    known: Known,
) -> MemberLists:
    """Read all lists. A group that cannot be read keeps its members and is named in `failures`.

    Raises:
        VendorError: the vendor is down, or refuses the key.
        MassDeactivationStopped: one group would lose more than the deactivation limit allows.
    """
    by_id = {group.id: group for group in groups}
    lists = MemberLists()
    results = client.for_each(list(by_id), client.memberships)
    for group_id, result in step.counted(results, "groups", len(by_id)):
        if isinstance(result, VendorError):
            lists.doubt(group_id, set(), f"{type(result).__name__}: {result.problem}")
            continue
        _Judge(step, client, known, lists).take(by_id[group_id], result)
    return lists


@dataclass
class _Judge:
    step: Step
    client: NorthpassClient
    known: Known
    lists: MemberLists

    def take(self, group: StoredGroup, result: Reading[Record]) -> None:
        """Note one group's list as complete or incomplete."""
        members, bad = _members_of(result.records)
        if bad or not result.complete:
            self.lists.doubt(group.id, members, bad[0].reason if bad else "; ".join(result.reasons))
            return
        before = set(self.known.members.get(group.id, ()))
        missing = before - members
        lately = self.known.left_lately.get(group.id, 0)
        leaving = Leaving("memberships", len(before), missing, lately, f"group {group.id}")
        check_deactivation_limit(leaving, self.step.rules, self.step.overrides)
        gap = count_gap(group.user_count, len(members))
        short = is_far_short(group.user_count, len(members), self.known.gaps.get(group.id, 0))
        # Without a count of the group's own nothing says that a 404 is an empty list and not a wrong answer.
        bare_404 = result.not_found and group.user_count is None
        reason = self._reason_to_doubt(group, members) if missing or short or bare_404 else None
        if gap and not missing:
            # Told once; the next sync that finds the same takes it for the group's way of counting.
            self.lists.gaps[group.id] = gap
        if reason:
            self.lists.doubt(group.id, members, reason)
            return
        self.lists.complete[group.id] = members
        if gap:
            self.lists.gaps[group.id] = gap

    def _reason_to_doubt(self, group: StoredGroup, members: set[str]) -> str | None:
        """Why this list cannot be taken for whole; None when a second reading and the group's own count agree."""
        try:
            record = self.client.group(group.id)
            if record is None:
                return "the group is gone; its members go with it at the next sync of groups"
            again = read_until_stable(
                lambda: self.client.memberships(group.id, alternate_paging=True), convert=as_it_is
            )
        except VendorError as error:
            if error.stops_everything:
                raise
            return f"it could not be read a second time: {error.problem}"
        second, bad = _members_of(again.records)
        if bad:
            return bad[0].reason
        now = group_from_record(record, self.step.rules)
        user_count = None if isinstance(now, Rejected) else now.user_count
        known_gap = self.known.gaps.get(group.id, 0)
        return why_list_proves_nothing(members, second, user_count, known_gap, second_is_complete=again.complete)


def people_unlisted(
    step: Step, client: NorthpassClient, lists: MemberLists, known_people: Collection[str]
) -> list[LmsUser]:
    """Members whom no list of people has ever shown, and who are there when asked for: that list was cut.

    Members who are gone (404) are left to the check that counts them.

    Raises:
        VendorError: the vendor is down, or refuses the key.
    """
    members = {person for group in (lists.complete, lists.incomplete) for people in group.values() for person in people}
    unknown = sorted(members - set(known_people))[:UNLISTED_ASKED]
    found = []
    for _, answer in step.counted(client.for_each(unknown, client.person), "unknown members", len(unknown)):
        user = None if answer is None or isinstance(answer, VendorError) else user_from_person(answer)
        if isinstance(user, LmsUser):
            found.append(user)
    return found


def _members_of(records: Collection[Record]) -> tuple[set[str], list[Rejected]]:
    members: set[str] = set()
    bad: list[Rejected] = []
    for record in records:
        member = member_of(record)
        if isinstance(member, Rejected):
            bad.append(member)
        else:
            members.add(member)
    return members, bad


class MembershipSync:
    """`read` first; then `lists` says what came, and `write` does all the writing.

    Raises (from `read`):
        VendorError: the vendor is down or refuses the key; a single group that cannot be read raises nothing.
        MassDeactivationStopped: too many would leave one group, or all together.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self.lists = MemberLists()
        self.unlisted: list[LmsUser] = []

    def read(self, client: NorthpassClient) -> None:
        """Read the members of every partner's group and of those of everybody, and work out who left."""
        step = self._step
        with step.warehouse.read() as connection:
            partners = reading.partner_activity(connection)
            wanted = [
                group
                for group in reading.groups(connection, active_only=True)
                if partners.get(group.partner_id or 0) or is_kept_group(group.name, step.rules)
            ]
            stored = reading.members_of(connection, [group.id for group in wanted])
            self._known_gaps: dict[str, int] = get_state(connection, COUNT_GAPS) or {}
            known_people = {row.id for row in reading.users(connection)}
            lately = deactivated_lately(connection, "memberships", step.now)
        self.lists = read_member_lists(step, client, wanted, Known(stored, self._known_gaps, lately))
        self.unlisted = people_unlisted(step, client, self.lists, known_people)
        left = {group_id: stored.get(group_id, set()) - members for group_id, members in self.lists.complete.items()}
        leaving = [f"{group_id}/{user_id}" for group_id, people in left.items() for user_id in people]
        active = sum(len(members) for members in stored.values())
        parts = {group_id: len(people) for group_id, people in left.items()}
        stop_if_too_many(step, "memberships", active, leaving, parts)

    def write(self, connection: Connection) -> SyncCounts:
        """Make complete lists' members equal, add those of the others, and note how far counts and lists differ."""
        now, lists = self._step.now, self.lists
        kept = {group_id: gap for group_id, gap in self._known_gaps.items() if group_id in lists.incomplete}
        put_state(connection, COUNT_GAPS, kept | lists.gaps, now=now)
        refused = SyncCounts()
        if self.unlisted:
            people = upsert(connection, lms_users, [asdict(user) for user in self.unlisted], key=("id",), now=now)
            refused = SyncCounts(rejected_rows=people.rejected_rows)
            link_contacts_to_users(connection, now)
        mark_members_read(connection, lists.complete, now=now)
        counts = sync_members(connection, lists.complete, now=now)
        return counts + refused + add_members(connection, lists.incomplete, now=now)

    def figures(self) -> dict[str, Any]:
        """How many groups were read, and what was odd about them."""
        return {
            "groups_read": len(self.lists.complete),
            "groups_incomplete": len(self.lists.incomplete),
            "groups_without_members": sum(not members for members in self.lists.complete.values()),
            "people_missing_in_the_list_of_people": len(self.unlisted),
        }


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
        sync = MembershipSync(step)
        with northpass.client() as client:
            sync.read(client)
            step.used(client.http)
        lists = sync.lists
        step.write(sync.write, failures=lists.failures, complete=not lists.incomplete, details=lists.details())
        return step.result(listed=sum(len(members) for members in lists.complete.values()), **sync.figures())
