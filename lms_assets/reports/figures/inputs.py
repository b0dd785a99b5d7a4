"""What both builders share: the material that reports are cut from, and sums over a choice of partners.

Plain values in, figures out. What counts is decided in lms_assets.domain; here it is only added up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from lms_assets.domain.counting.certifications import Assessed, PartnerCounts
from lms_assets.domain.counting.compliance import Standing, requirement_of, standing
from lms_assets.domain.counting.holdings import Holdings
from lms_assets.domain.counting.periods import WEEK, trend_instants
from lms_assets.domain.counting.report_facts import PartnerFacts, Snapshot
from lms_assets.domain.counting.snapshots import Past
from lms_assets.reports.config import ReportConfig
from lms_assets.reports.figures.model import Change, Expiring, Frame, WeekPoint

HORIZON = timedelta(days=90)
WEEKS_AHEAD = 13


@dataclass(frozen=True)
class ReportInputs:
    """All that the reports of one week are made from.

    Attributes:
        frame: week, instant of counting and banner.
        partners: every active partner.
        holdings: what is held at `frame.as_of` and around it.
        past: snapshots of the days of `periods.days_of_history`.
        names: names of LMS people by id, for those who may read them.
        withheld: partners whose counts are not confirmed, so that the CRM does not get them, and why in plain words.
    """

    frame: Frame
    partners: tuple[PartnerFacts, ...]
    holdings: Holdings
    past: Past
    names: Mapping[str, str] = field(repr=False)
    config: ReportConfig
    withheld: Mapping[int, str] = field(default_factory=dict)

    def counts_of(self, partner_id: int) -> PartnerCounts:
        """A partner's counts, all 0 for one without people."""
        return self.holdings.counts.get(partner_id) or PartnerCounts(partner_id, {}, 0, False)

    def standing_of(self, partner: PartnerFacts) -> Standing:
        """Against the requirement of its tier, looking 90 days ahead."""
        at = self.frame.as_of
        requirement = requirement_of(partner.tier, self.config.tier_requirements)
        return standing(requirement, self.holdings.totals.get(partner.id, ()), at=at, until=at + HORIZON)

    def fell_this_week(self, partner_id: int, found: Standing) -> bool:
        """Whether a partner that is below met its requirement a week ago: by its certifications' dates, or by last
        week's snapshot, since people who left and a new tier leave no date.
        """
        if found.status != "below":
            return False
        by_dates = found.since is not None and found.since > self.frame.since
        before = self.past.on(partner_id, self.frame.since.date())
        return by_dates or (before is not None and before.total_npcu >= found.requirement)

    def npcu_change(self, partner_id: int, day: date) -> Change:
        """A partner's NPCU now and on a day of the past."""
        before = self.past.on(partner_id, day)
        return Change(self.counts_of(partner_id).total_npcu, before.total_npcu if before else None)

    def held_by(self, partner_ids: Iterable[int]) -> list[Assessed]:
        """What counts at these partners, soonest expiry first."""
        found = [item for each in partner_ids for item in self.holdings.by_partner.get(each, ())]
        return sorted(found, key=lambda item: (item.expires_at or self.frame.as_of, item.user_id, item.course_id))

    def people_of(self, partner_ids: Iterable[int]) -> frozenset[str]:
        """Distinct people of these partners."""
        return frozenset().union(*(self.holdings.people.get(each, frozenset()) for each in partner_ids))


def expiring_within(inputs: ReportInputs, held: Sequence[Assessed], days: Iterable[int]) -> tuple[Expiring, ...]:
    """What expires within so many days after the instant of counting; the windows contain each other."""
    lines = []
    for window in days:
        end = inputs.frame.as_of + timedelta(days=window)
        found = [item for item in held if item.expires_at is not None and item.expires_at <= end]
        lines.append(Expiring(window, len(found), sum(item.npcu for item in found)))
    return tuple(lines)


def expiries_by_week(inputs: ReportInputs, held: Sequence[Assessed]) -> tuple[WeekPoint, ...]:
    """Certifications that expire in each of the next 13 weeks, each named by the day it begins."""
    at = inputs.frame.as_of
    numbers = [0] * WEEKS_AHEAD
    for item in held:
        if item.expires_at is not None and item.expires_at <= at + WEEK * WEEKS_AHEAD:
            # An expiry on a boundary belongs to the week that ends there, as in the windows of days.
            numbers[-((at - item.expires_at) // WEEK) - 1] += 1
    return tuple(WeekPoint((at + WEEK * week).date(), number) for week, number in enumerate(numbers))


def npcu_by_week(inputs: ReportInputs, partner_ids: Sequence[int]) -> tuple[WeekPoint, ...]:
    """NPCU of these partners at the end of each of the last 26 weeks, now last."""
    *earlier, now = trend_instants(inputs.frame.as_of)
    points = [
        WeekPoint(each.date(), sum_on(inputs.past, partner_ids, each.date(), lambda found: found.total_npcu) or 0)
        for each in earlier
    ]
    return (*points, WeekPoint(now.date(), sum(inputs.counts_of(each).total_npcu for each in partner_ids)))


def sum_on(past: Past, partner_ids: Iterable[int], day: date, figure: Callable[[Snapshot], int]) -> int | None:
    """A figure of the snapshots of a day, summed; None when no partner has any, partners without one count 0."""
    found = [snapshot for each in partner_ids if (snapshot := past.on(each, day)) is not None]
    return sum(figure(each) for each in found) if found else None
