"""Whether a group's member list may take somebody out. Nobody can be asked for a membership by its id, so the list
has to prove itself: by a second reading, and by the group's own `user_count` (domain rules, deletions).
"""

from __future__ import annotations

from collections.abc import Collection

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
        return f"{number_of(len(second), 'member')} came, and the group counts {user_count}"
    return None
