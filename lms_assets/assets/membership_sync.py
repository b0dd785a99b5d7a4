"""One sync of the memberships: every partner's group read and judged, who left it worked out, written at once."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from lms_assets.assets.absences import stop_if_too_many
from lms_assets.assets.member_lists import COUNT_GAPS, Known, MemberLists, people_unlisted, read_member_lists
from lms_assets.assets.step import Step
from lms_assets.assets.user_sync import link_contacts_to_users
from lms_assets.domain.groups import is_kept_group
from lms_assets.domain.people import LmsUser
from lms_assets.vendors.northpass import NorthpassClient
from lms_assets.warehouse import reading
from lms_assets.warehouse.children import add_members, mark_members_read, sync_members
from lms_assets.warehouse.deactivations import deactivated_lately
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.state import get_state, put_state
from lms_assets.warehouse.sync import SyncCounts, upsert
from lms_assets.warehouse.tables import lms_users


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
            refused = SyncCounts(misfits=people.misfits)
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
