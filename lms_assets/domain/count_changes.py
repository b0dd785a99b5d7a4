"""What changed between two assessments of the same partners, one certification at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from lms_assets.domain.certifications import Assessed, Verdict


@dataclass(frozen=True, slots=True)
class CountChange:
    """A certification that a partner won or lost. `item` is as of the later assessment; of one that is not there any
    more as of the earlier, and then `reason` says so.
    """

    kind: Literal["gained", "lost"]
    item: Assessed
    reason: str


def changes_between(earlier: Iterable[Assessed], later: Iterable[Assessed]) -> tuple[CountChange, ...]:
    """Certifications counted in one assessment and not in the other, sorted by partner, person and course.

    A renewal that takes over from an attempt that counted is no change: partner, person and course are the same. The
    sum of gained minus lost is the difference of the counts where points and categories stayed the same.
    """
    before = {_key(item): item for item in earlier if item.counted}
    after: dict[tuple[int, str, str], Assessed] = {}
    by_enrollment: dict[tuple[int, str, str], Assessed] = {}
    for item in later:
        by_enrollment[(item.partner_id, item.user_id, item.enrollment_id)] = item
        if item.counted:
            after[_key(item)] = item
    changes = [CountChange("gained", after[key], after[key].reason) for key in after.keys() - before.keys()]
    for key in before.keys() - after.keys():
        old = before[key]
        now = by_enrollment.get((old.partner_id, old.user_id, old.enrollment_id))
        if now is None:
            now = replace(old, verdict=Verdict.NOT_A_PARTNER_USER, other="no longer connected, or no longer enrolled")
        changes.append(CountChange("lost", now, now.reason))
    return tuple(sorted(changes, key=lambda change: (*_key(change.item), change.kind)))


def _key(item: Assessed) -> tuple[int, str, str]:
    return (item.partner_id, item.user_id, item.course_id)
