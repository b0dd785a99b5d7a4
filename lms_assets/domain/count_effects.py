"""What another way of counting may have done otherwise, and how far each of that moves a partner's counts. Pure.

The other system may have counted what the rules leave out (expired, disabled people), or not have known what they take
in (people who are only contacts, archived courses). Every certification is in one effect at most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from lms_assets.domain.certifications import Assessed, Verdict

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Effect:
    """How far one difference in counting moves a partner's counts, from the old ones to ours."""

    reason: str
    npcu: int
    by_category: Mapping[str, int]
    certifications: int


@dataclass(frozen=True, slots=True)
class View:
    """What tells certifications apart that the other system may not have seen as we do.

    Attributes:
        closed: (partner, person) whom something keeps from counting there.
        archived: ids of archived courses.
        guessed: ids of groups that were linked by likeness or by hand.
        old_at: when the old counts were made (UTC); None when nobody knows.
    """

    closed: Container[tuple[int, str]] = frozenset()
    archived: Container[str] = frozenset()
    guessed: Container[str] = frozenset()
    old_at: datetime | None = None


def effects(items: Iterable[Assessed], unlinked: Iterable[Assessed], view: View) -> dict[int, tuple[Effect, ...]]:
    """Every known effect at each partner, by reason.

    Args:
        items: all that `certifications.assess` says. unlinked: the same of people in groups that were a partner's and
            are nobody's, as if they still were its own.
    """
    sums: dict[tuple[int, str], list[tuple[int, str | None]]] = {}
    seen: set[tuple[int, str, str]] = set()
    for item in sorted(items, key=lambda each: each.expires_at or _LONG_AGO, reverse=True):
        found = _reason(item, view, seen)
        if found is not None and item.npcu:
            sums.setdefault((item.partner_id, found[0]), []).append((found[1] * item.npcu, item.category))
    for item in unlinked:
        if item.counted:
            key = (item.partner_id, "groups that were the partner's and are nobody's now")
            sums.setdefault(key, []).append((-item.npcu, item.category))
    by_partner: dict[int, list[Effect]] = {}
    for (partner_id, reason), moves in sums.items():
        categories: Counter[str] = Counter()
        for npcu, category in moves:
            if category is not None:
                categories[category] += 1 if npcu > 0 else -1
        effect = Effect(reason, sum(npcu for npcu, _ in moves), dict(categories), len(moves))
        by_partner.setdefault(partner_id, []).append(effect)
    return {partner_id: tuple(sorted(each, key=lambda e: e.reason)) for partner_id, each in by_partner.items()}


def _reason(item: Assessed, view: View, seen: set[tuple[int, str, str]]) -> tuple[str, int] | None:
    """Why the other system may have judged this otherwise, and which way that moves the counts; None: no reason."""
    if item.counted:
        reason = _newly_counted(item, view)
        return (reason, 1) if reason else None
    if item.verdict is Verdict.NOT_A_PARTNER_USER:
        return f"not counted: {_obstacle(item.other or '')}", -1
    if (item.partner_id, item.user_id) in view.closed:
        return None  # Two things would have to differ at once.
    if item.verdict is Verdict.EXPIRED:
        key = (item.partner_id, item.user_id, item.course_id)
        if key in seen:
            return "further attempts at an expired certification", -1
        seen.add(key)
        if view.old_at is not None and item.expires_at is not None and item.expires_at > view.old_at:
            return "expired since the old count", -1
        return "expired" if view.old_at is None else "expired before the old count", -1
    return _REASONS.get(item.verdict)


_REASONS = {
    Verdict.SAME_COURSE: ("renewals, each certification counts once", -1),
    Verdict.COMPLETED_LATER: ("completed after the new count", -1),
    Verdict.NO_COMPLETION_DATE: ("completed without a date", -1),
}


def _newly_counted(item: Assessed, view: View) -> str | None:
    if view.old_at is not None and item.completed_at is not None and item.completed_at > view.old_at:
        return "completed since the old count"
    if item.course_id in view.archived:
        return "archived courses"
    if item.category is None:
        return "certifications without a category"
    if all(via.kind == "contact" for via in item.via):
        return "people who are linked by their contact only"
    if all(via.kind == "contact" or via.id in view.guessed for via in item.via):
        return "groups linked by likeness or by hand"
    return None


def _obstacle(text: str) -> str:
    """An obstacle without ids."""
    if text.startswith(("group ", "contact ")):
        return "people whose group or contact is inactive"
    return text.replace("person is", "people who are")
