"""Why a partner has the numbers it has: what is counted, what is not and why, and what changed between two instants.

All of it is what `certifications.assess` says, so that it adds up to the counts by construction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from lms_assets.domain.counting.certifications import Assessed, PartnerCounts, Verdict, assess, count
from lms_assets.domain.counting.holdings import CountingInputs, key_of

NOT_LONG_AGO = timedelta(days=365)
_NEARLY = {
    Verdict.NO_COMPLETION_DATE,
    Verdict.COMPLETED_LATER,
    Verdict.NOT_A_PARTNER_USER,
    Verdict.UNKNOWN_COURSE,
}


@dataclass(frozen=True)
class Explanation:
    """One partner at one instant: `counted` makes up `counts`, `not_counted` is the rest with reasons.

    `people` are the partner's users, also those who hold nothing.
    """

    partner_id: int
    at: datetime
    counts: PartnerCounts
    counted: tuple[Assessed, ...]
    not_counted: tuple[Assessed, ...]
    people: frozenset[str]

    @property
    def nearly(self) -> tuple[Assessed, ...]:
        """Completed certifications that one thing keeps from counting: an expiry not long ago, a missing date, the
        person's account, an unknown course. Earlier attempts at a course that counts are not among them.
        """
        return tuple(item for item in self.not_counted if self._is_nearly(item))

    @property
    def others(self) -> tuple[Assessed, ...]:
        """What does not count and is not `nearly`."""
        return tuple(item for item in self.not_counted if not self._is_nearly(item))

    def _is_nearly(self, item: Assessed) -> bool:
        if item.verdict is Verdict.EXPIRED:
            return item.expires_at is not None and self.at - item.expires_at <= NOT_LONG_AGO
        completed = item.completed_at is not None or item.verdict is Verdict.NO_COMPLETION_DATE
        return completed and item.verdict in _NEARLY


@dataclass(frozen=True, slots=True)
class ChangedItem:
    """One certification that began or ceased to count, with the reason at the later instant."""

    item: Assessed
    npcu: int
    reason: str


@dataclass(frozen=True)
class Changes:
    """What moved a partner's counts between two instants; the NPCU of both lists add up to the difference."""

    before: Explanation
    after: Explanation
    gained: tuple[ChangedItem, ...]
    lost: tuple[ChangedItem, ...]

    @property
    def npcu(self) -> int:
        """How far the total moved."""
        return self.after.counts.total_npcu - self.before.counts.total_npcu


def explain(inputs: CountingInputs, partner_id: int, at: datetime) -> Explanation:
    """What the partner's counts at `at` (UTC, past or present) are made of.

    People are those who belong to the partner today; who belonged to it then is not known.

    Args:
        partner_id: row id of the partner.
    """
    affiliations = [each for each in inputs.affiliations if each.partner_id == partner_id]
    people = {each.user_id for each in affiliations}
    enrollments = [each for each in inputs.enrollments if each.user_id in people]
    assessed = assess(affiliations, enrollments, inputs.courses, at=at, months=inputs.months)
    belonging = frozenset(each.user_id for each in affiliations if each.obstacle is None)
    return explained(assessed, partner_id, at, people=belonging, gtm_category=inputs.gtm_category)


def explained(
    items: Iterable[Assessed], partner_id: int, at: datetime, *, people: frozenset[str], gtm_category: str
) -> Explanation:
    """The explanation that these judged items of one partner make up, of the ledger or judged just now.

    Args:
        items: of this partner only. at: the instant as of which they were judged (UTC).
        people: LMS ids of everybody who counts for the partner.
        gtm_category: the category that `has_gtm_certification` asks for.
    """
    assessed = tuple(items)
    return Explanation(
        partner_id=partner_id,
        at=at,
        counts=count(assessed, [partner_id], gtm_category)[partner_id],
        counted=tuple(item for item in assessed if item.counted),
        not_counted=tuple(item for item in assessed if not item.counted),
        people=people,
    )


def changes_between(before: Explanation, after: Explanation) -> Changes:
    """What began and what ceased to count between two explanations of one partner.

    Raises:
        ValueError: `before` is not before `after`.
    """
    if before.at >= after.at:
        raise ValueError("the instant to compare with must be before the other one")
    then = {key_of(item): item for item in before.counted}
    now = {key_of(item): item for item in after.counted}
    gained = tuple(
        ChangedItem(item, item.npcu, _why_gained(item, before.at)) for key, item in now.items() if key not in then
    )
    lost = tuple(
        ChangedItem(item, item.npcu, _why_lost(item, after.not_counted)) for key, item in then.items() if key not in now
    )
    return Changes(before, after, gained, lost)


def differences(explained: PartnerCounts, stored_npcu: int, stored: Mapping[str, int]) -> tuple[str, ...]:
    """How stored counts differ from explained ones, one line each; empty when they agree.

    Args:
        stored_npcu, stored: the Total NPCU and category to number of certifications, as stored.
    """
    found = []
    if explained.total_npcu != stored_npcu:
        found.append(f"total_npcu: stored {stored_npcu}, explained {explained.total_npcu}")
    for category, there in sorted(stored.items()):
        here = explained.by_category.get(category, 0)
        if here != there:
            found.append(f"{category}: stored {there}, explained {here}")
    return tuple(found)


def _why_gained(item: Assessed, since: datetime) -> str:
    if item.completed_at is None:
        return "began to count"
    completed = f"completed on {item.completed_at:%Y-%m-%d %H:%M:%S} UTC"
    return completed if item.completed_at > since else f"{completed}, known or the person's only since then"


def _why_lost(item: Assessed, not_counted: tuple[Assessed, ...]) -> str:
    reasons = (other.reason for other in not_counted if other.enrollment_id == item.enrollment_id)
    return next(reasons, "no longer listed: the person left the partner, or the record is gone")
