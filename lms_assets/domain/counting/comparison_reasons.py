"""What another way of counting may have done otherwise, certification by certification. Pure.

The other system may have counted what the rules leave out (expired, disabled people), or not have known what they take
in (people who are only contacts, archived courses). Which of these it did is a set of reasons, and each set says which
certifications the two systems judge differently.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from lms_assets.domain.counting.certifications import Assessed, Verdict
from lms_assets.domain.linking.partner_users import (
    PARTNER_INACTIVE,
    PARTNER_UNKNOWN,
    PERSON_DISABLED,
    PERSON_GONE,
    PERSON_UNKNOWN,
)

ATTEMPTS = "several attempts at one course"
LOST_GROUPS = "groups that were the partner's and are nobody's now"
CONTACT_ONLY = "people who are linked by their contact only"
GUESSED = "groups linked by likeness or by hand"
ARCHIVED_COURSES = "archived courses"
UNCATEGORISED = "certifications without a category"
INACTIVE_WAYS = "people whose group or contact is inactive"
SINCE = "completed since the old count"

Reasons = frozenset[str]


@dataclass(frozen=True, slots=True)
class Effect:
    """How far one difference in counting moves a partner's counts, from the old ones to ours."""

    reason: str
    npcu: int
    certifications: int


@dataclass(frozen=True, slots=True)
class Cell:
    """Certifications of a partner that the two systems judge differently for the same reasons.

    Attributes:
        needs: what must all hold for another system to count what we do not; empty for what we count.
        missed_by: it does not know of them where all reasons of one of these sets hold.
        npcu, by_category: how far it moves the partner's counts, from the old ones to ours, when it judges otherwise.
    """

    needs: Reasons
    missed_by: frozenset[Reasons]
    npcu: int
    by_category: Mapping[str, int] = field(hash=False)
    certifications: int

    def cause_within(self, reasons: Reasons) -> Reasons | None:
        """Which of these make a system of which they hold judge otherwise; None: it judges as we do."""
        missed = [each for each in self.missed_by if each <= reasons]
        if self.needs:
            return self.needs if self.needs <= reasons and not missed else None
        return min(missed, key=lambda each: (len(each), sorted(each)), default=None)


@dataclass(frozen=True, slots=True)
class View:
    """What tells certifications apart that the other system may not have seen as we do.

    Attributes:
        at: as of when ours are counted (UTC). old_at: the old ones; None when nobody knows.
        closed: (partner, person) to what keeps the person from counting there.
        archived: ids of archived courses. guessed: ids of groups that were linked by likeness or by hand.
    """

    at: datetime
    old_at: datetime | None = None
    closed: Mapping[tuple[int, str], str] = field(default_factory=dict)
    archived: Container[str] = frozenset()
    guessed: Container[str] = frozenset()


def cells(items: Iterable[Assessed], unlinked: Iterable[Assessed], view: View) -> dict[int, tuple[Cell, ...]]:
    """Every certification that another system may judge otherwise, by partner.

    Args:
        items: all that `certifications.assess` says. unlinked: the same of people in groups that were a partner's and
            are nobody's, as if they still were its own.
    """
    sums: dict[tuple[int, Reasons, frozenset[Reasons]], list[tuple[int, str | None]]] = {}
    seen: set[tuple[int, str, str]] = set()
    # Of a course's expired attempts the last one stands for it, the others are repetitions.
    for item in sorted(items, key=lambda each: each.expires_at or each.completed_at or view.at, reverse=True):
        missed_by = _why_missed(item, view)
        needs = Reasons() if item.counted else _why_taken(item, view, seen)
        if item.npcu and (missed_by if item.counted else needs):
            moved = item.npcu if item.counted else -item.npcu
            sums.setdefault((item.partner_id, needs, missed_by), []).append((moved, item.category))
    for item in unlinked:
        if item.counted:
            key = item.partner_id, Reasons({LOST_GROUPS}), _why_missed(item, view)
            sums.setdefault(key, []).append((-item.npcu, item.category))
    found: dict[int, list[Cell]] = {}
    for (partner_id, needs, missed_by), moves in sums.items():
        found.setdefault(partner_id, []).append(_cell(needs, missed_by, moves))
    return {partner_id: tuple(each) for partner_id, each in found.items()}


def effects_of(found: Iterable[Cell], reasons: Reasons) -> tuple[Effect, ...]:
    """What a system of which these reasons hold judges otherwise, by the reasons that go together."""
    sums: dict[str, tuple[int, int]] = {}
    for cell in found:
        cause = cell.cause_within(reasons)
        if cause is not None:
            npcu, number = sums.get(" and ".join(sorted(cause)), (0, 0))
            sums[" and ".join(sorted(cause))] = npcu + cell.npcu, number + cell.certifications
    return tuple(Effect(reason, *sums[reason]) for reason in sorted(sums))


def _cell(needs: Reasons, missed_by: frozenset[Reasons], moves: Collection[tuple[int, str | None]]) -> Cell:
    by_category: dict[str, int] = {}
    for npcu, category in moves:
        if category is not None:
            by_category[category] = by_category.get(category, 0) + (1 if npcu > 0 else -1)
    return Cell(needs, missed_by, sum(npcu for npcu, _ in moves), by_category, len(moves))


def _why_missed(item: Assessed, view: View) -> frozenset[Reasons]:
    """Each of these sets alone lets another system not know of it."""
    alone: set[Reasons] = set()
    if view.old_at is not None and item.completed_at is not None and item.completed_at > view.old_at:
        alone.add(frozenset({SINCE}))
    if item.course_id in view.archived:
        alone.add(frozenset({ARCHIVED_COURSES}))
    if item.category is None:
        alone.add(frozenset({UNCATEGORISED}))
    if all(via.kind != "group" or via.id in view.guessed for via in item.via):
        alone.add(frozenset(CONTACT_ONLY if via.kind != "group" else GUESSED for via in item.via))
    return frozenset(alone)


def _why_taken(item: Assessed, view: View, seen: set[tuple[int, str, str]]) -> Reasons:
    """All of these together let another system count what does not count here; nothing does: empty."""
    reasons = set()
    if item.verdict in _SIMPLE:
        reasons.add(_SIMPLE[item.verdict])
    elif item.verdict in {Verdict.EXPIRED, Verdict.SAME_COURSE}:
        key = (item.partner_id, item.user_id, item.course_id)
        if item.verdict is Verdict.SAME_COURSE or key in seen:
            reasons.add(ATTEMPTS)
        seen.add(key)
        if item.expires_at is not None and item.expires_at <= view.at:
            reasons.add(_expired(item.expires_at, view.old_at))
    elif item.verdict is not Verdict.NOT_A_PARTNER_USER:
        return Reasons()
    obstacle = view.closed.get((item.partner_id, item.user_id))
    if obstacle is not None:
        reasons.add(_OBSTACLES.get(obstacle, INACTIVE_WAYS))
    return Reasons(reasons)


_SIMPLE = {
    Verdict.COMPLETED_LATER: "completed after the new count",
    Verdict.NO_COMPLETION_DATE: "completed without a date",
}
_OBSTACLES = {
    PARTNER_INACTIVE: PARTNER_INACTIVE,
    PARTNER_UNKNOWN: PARTNER_UNKNOWN,
    PERSON_UNKNOWN: "people who are not among the LMS users",
    PERSON_GONE: "people who are gone from the LMS",
    PERSON_DISABLED: "people who are disabled",
}


def _expired(expires_at: datetime, old_at: datetime | None) -> str:
    if old_at is None:
        return "expired"
    return "expired since the old count" if expires_at > old_at else "expired before the old count"
