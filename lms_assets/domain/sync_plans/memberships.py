"""What a sync of the memberships writes: what each group's list proves, and who left it.

Nobody can be asked for a membership by its id, so a list has to prove itself: by a second reading, and by the group's
own `user_count` (domain rules, deletions).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lms_assets.domain.records.groups import StoredGroup, member_of
from lms_assets.domain.records.values import Rejected
from lms_assets.domain.safety.confirmation import why_readings_prove_nothing
from lms_assets.domain.wording import number_of

# A first list that lacks more than this, in people and in share of the group's count, is not taken for whole at once.
FAR_SHORT_PEOPLE = 2
FAR_SHORT_SHARE = 0.2


def count_gap(user_count: int | None, listed: int) -> int:
    """How many members the vendor counts beyond those it lists, below 0 for fewer; 0 when it does not count.

    Args:
        user_count: the group's own count; None: it has none. listed: members that were read.
    """
    return user_count - listed if user_count is not None else 0


def is_far_short(user_count: int | None, listed: int, known_gap: int) -> bool:
    """Whether a list lacks so many of those whom the group counts that it wants a second look, missing or not.

    An empty list of a group that counts anybody does (an empty list may come as 404, and a 404 may be wrong).

    Args:
        user_count: the group's own count; None: it has none. listed: members that were read.
        known_gap: `count_gap` at the sync before.
    """
    gap = count_gap(user_count, listed)
    if user_count is None or gap <= known_gap:
        return False
    return listed == 0 or gap - known_gap > max(FAR_SHORT_PEOPLE, FAR_SHORT_SHARE * user_count)


def why_list_proves_nothing(
    first: Collection[str],
    second: Collection[str],
    user_count: int | None,
    known_gap: int,
    *,
    second_is_complete: bool = True,
) -> str | None:
    """None when those whom two readings of one list lack are really out; otherwise why nothing is concluded.

    Args:
        first: ids of the first reading.
        second: ids of the second.
        user_count: the group's own count, asked for after both; None when it has none.
        known_gap: how far `user_count` was ahead of the list before (see `count_gap`). Some groups' counts are off
            for good, either way; only a gap that has grown says that the list lacks somebody.
        second_is_complete: whether the second reading proves what it lacks.
    """
    doubt = why_readings_prove_nothing(
        dict.fromkeys(first), dict.fromkeys(second), second_is_complete=second_is_complete
    )
    if doubt is not None:
        return doubt
    if count_gap(user_count, len(second)) > known_gap:
        return f"{number_of(len(second), 'member')} came, and the group's own number is {user_count}"
    return None


@dataclass(frozen=True)
class MembersRead:
    """One reading of a group's list; `bad`: why a record of it could not be read. `not_found`: the answer was 404."""

    members: frozenset[str]
    bad: str | None = None
    complete: bool = True
    reasons: tuple[str, ...] = ()
    not_found: bool = False

    @classmethod
    def of(cls, records: Iterable[Any], **more: Any) -> MembersRead:
        """What the records of one listing come to."""
        results = [member_of(record) for record in records]
        bad = next((each.reason for each in results if isinstance(each, Rejected)), None)
        return cls(frozenset(each for each in results if isinstance(each, str)), bad, **more)

    @property
    def problem(self) -> str | None:
        """Why the list may lack somebody; None when it is complete."""
        return self.bad or (None if self.complete else "; ".join(self.reasons))


@dataclass(frozen=True)
class SecondLook:
    """A group's list read a second time, and the group's own count then; or why there is no such reading."""

    again: MembersRead | None = None
    user_count: int | None = None
    problem: str | None = None


@dataclass(frozen=True)
class MemberList:
    """What is known of a group's members. `doubt`: why nobody is taken out; None when the list is complete.

    `gap`: how far the group's own count is ahead of the list, where that is to be remembered; else 0.
    """

    group_id: str
    members: frozenset[str]
    doubt: str | None = None
    gap: int = 0


def needs_second_look(group: StoredGroup, first: MembersRead, before: Collection[str], known_gap: int) -> bool:
    """Whether a list has to prove itself by a second reading.

    Args:
        before: members as stored.
        known_gap: how far the group's count was ahead of the list at the sync before.
    """
    if first.problem is not None:
        return False
    # Without a count of the group's own nothing says that a 404 is an empty list and not a wrong answer.
    bare_404 = first.not_found and group.user_count is None
    short = is_far_short(group.user_count, len(first.members), known_gap)
    return bool(set(before) - first.members) or short or bare_404


def judge_list(
    group: StoredGroup, first: MembersRead, before: Collection[str], known_gap: int, second: SecondLook | None
) -> MemberList:
    """What a group's list proves, given a second look where it needs one (`needs_second_look`).

    Args:
        before: members as stored.
        known_gap: how far the group's count was ahead of the list at the sync before.
    """
    if first.problem is not None:
        return MemberList(group.id, first.members, first.problem)
    doubt = _doubt(first, known_gap, second) if second is not None else None
    missing = set(before) - first.members
    # Reported once; the next sync that finds the same takes it for the group's way of counting.
    remembered = doubt is None or not missing
    return MemberList(
        group.id, first.members, doubt, count_gap(group.user_count, len(first.members)) if remembered else 0
    )


def _doubt(first: MembersRead, known_gap: int, second: SecondLook) -> str | None:
    again = second.again
    if again is None:
        return second.problem
    if again.bad is not None:
        return again.bad
    return why_list_proves_nothing(
        first.members, again.members, second.user_count, known_gap, second_is_complete=again.complete
    )


@dataclass(frozen=True)
class MembershipPlan:
    """What is to be written of the memberships.

    Attributes:
        lists: each group's list.
        stored: group id to its members as stored.
        known_gaps: group id to how far its own count was ahead of its list at the sync before.
    """

    lists: tuple[MemberList, ...]
    stored: Mapping[str, Collection[str]]
    known_gaps: Mapping[str, int]

    @cached_property
    def complete(self) -> dict[str, frozenset[str]]:
        """Group id to its members, all of them."""
        return {each.group_id: each.members for each in self.lists if each.doubt is None}

    @cached_property
    def incomplete(self) -> dict[str, frozenset[str]]:
        """Group id to the members seen, which may not be all."""
        return {each.group_id: each.members for each in self.lists if each.doubt is not None}

    @property
    def doubts(self) -> dict[str, str]:
        """Group id to why nobody is taken out of it."""
        return {each.group_id: each.doubt for each in self.lists if each.doubt is not None}

    @property
    def gaps(self) -> dict[str, int]:
        """How far counts and lists differ, for the next sync."""
        kept = {group_id: gap for group_id, gap in self.known_gaps.items() if group_id in self.incomplete}
        return kept | {each.group_id: each.gap for each in self.lists if each.gap}

    @property
    def left(self) -> dict[str, set[str]]:
        """Group id to who left it, of groups with a complete list."""
        return {group_id: set(self.stored.get(group_id, ())) - members for group_id, members in self.complete.items()}
