"""What all partners hold around one instant of counting, asked for by reports: now, then, gained, lost, ahead.

Everything comes from `certifications.assess` and `count`; nothing is counted in another way. Affiliations are those
of today, so a past figure says what today's people held then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from lms_assets.domain.counting.certifications import (
    GO_TO_MARKET,
    Affiliation,
    Assessed,
    CourseFacts,
    PartnerCounts,
    assess,
    count,
    held_period,
)
from lms_assets.domain.counting.compliance import TotalAt
from lms_assets.domain.counting.history import Period, united
from lms_assets.domain.records.transcripts import Enrollment
from lms_assets.domain.rules_defaults import CERTIFICATION_MONTHS

Key = tuple[int, str, str]
"""Partner row id, LMS user id, course id: what counts once."""


@dataclass(frozen=True)
class CountingInputs:
    """What counting needs, as `certifications.assess` takes it."""

    affiliations: Sequence[Affiliation]
    enrollments: Sequence[Enrollment]
    courses: Mapping[str, CourseFacts]
    months: int = CERTIFICATION_MONTHS
    gtm_category: str = GO_TO_MARKET


@dataclass(frozen=True)
class Holdings:
    """What is held at `at` (UTC) and around it. Past instants are computed when asked for, once each."""

    inputs: CountingInputs
    at: datetime
    _held: dict[datetime, Mapping[Key, Assessed]] = field(default_factory=dict, repr=False, compare=False)

    def held_at(self, instant: datetime) -> Mapping[Key, Assessed]:
        """Every certification that counts at an instant."""
        if instant not in self._held:
            each = self._assessed(instant)
            self._held[instant] = {key_of(item): item for item in each if item.counted}
        return self._held[instant]

    def gained(self, start: datetime, end: datetime | None = None) -> tuple[Assessed, ...]:
        """What counts at `end` (default: `at`) and did not at `start`, latest completion first."""
        before = self.held_at(start)
        found = [item for key, item in self.held_at(end or self.at).items() if key not in before]
        return tuple(sorted(found, key=lambda item: (item.completed_at or start, key_of(item)), reverse=True))

    def lost(self, start: datetime) -> tuple[Assessed, ...]:
        """What counted at `start` and does not at `at`, latest expiry first."""
        now = self.held_at(self.at)
        found = [item for key, item in self.held_at(start).items() if key not in now]
        return tuple(sorted(found, key=lambda item: (item.expires_at or start, key_of(item)), reverse=True))

    @cached_property
    def by_partner(self) -> Mapping[int, tuple[Assessed, ...]]:
        """What counts now, by partner, soonest expiry first."""
        found: dict[int, list[Assessed]] = {}
        for item in sorted(self.held_at(self.at).values(), key=lambda item: (item.expires_at or self.at, key_of(item))):
            found.setdefault(item.partner_id, []).append(item)
        return {partner_id: tuple(items) for partner_id, items in found.items()}

    @cached_property
    def counts(self) -> Mapping[int, PartnerCounts]:
        """Each partner's counts now; a partner without people is missing."""
        return count(self.held_at(self.at).values(), self.people, self.inputs.gtm_category)

    @cached_property
    def people(self) -> Mapping[int, frozenset[str]]:
        """LMS ids of each partner's partner users."""
        found: dict[int, set[str]] = {}
        for each in self.inputs.affiliations:
            if each.obstacle is None:
                found.setdefault(each.partner_id, set()).add(each.user_id)
        return {partner_id: frozenset(people) for partner_id, people in found.items()}

    @cached_property
    def totals(self) -> Mapping[int, tuple[TotalAt, ...]]:
        """Each partner's NPCU over time: what today's people held until now, and from now on what is left when
        nothing is earned or renewed.
        """
        moves: dict[int, dict[datetime, int]] = {}
        for partner_id, npcu, (start, end) in self._past_periods():
            steps = moves.setdefault(partner_id, {})
            if start <= self.at:
                steps[start] = steps.get(start, 0) + npcu
                if end <= self.at:
                    steps[end] = steps.get(end, 0) - npcu
        for item in self.held_at(self.at).values():
            if item.expires_at is not None:
                steps = moves.setdefault(item.partner_id, {})
                steps[item.expires_at] = steps.get(item.expires_at, 0) - item.npcu
        return {partner_id: _running_total(steps) for partner_id, steps in moves.items()}

    def _assessed(self, instant: datetime) -> Iterable[Assessed]:
        inputs = self.inputs
        held = (each for each, (start, end) in self._relevant if start <= instant < end)
        return assess(self._partner_users, held, inputs.courses, at=instant, months=inputs.months)

    @cached_property
    def _partner_users(self) -> tuple[Affiliation, ...]:
        return tuple(each for each in self.inputs.affiliations if each.obstacle is None)

    @cached_property
    def _relevant(self) -> tuple[tuple[Enrollment, Period], ...]:
        """Enrollments that count at some instant, with their period; leaving the others out changes no count.

        The effective expiry stands in them, since reckoning with calendar months once is slow enough.
        """
        people = {each.user_id for each in self._partner_users}
        courses = {course_id for course_id, course in self.inputs.courses.items() if course.npcu > 0}
        found = []
        for each in self.inputs.enrollments:
            if each.user_id in people and each.course_id in courses:
                period = held_period(each, self.inputs.months)
                if period is not None:
                    found.append((replace(each, expires_at=period[1]), period))
        return tuple(found)

    def _past_periods(self) -> Iterable[tuple[int, int, Period]]:
        periods: dict[tuple[str, str], list[Period]] = {}
        for each, period in self._relevant:
            if period[0] <= self.at:
                periods.setdefault((each.user_id, each.course_id), []).append(period)
        partners_of: dict[str, list[int]] = {}
        for affiliation in self._partner_users:
            partners_of.setdefault(affiliation.user_id, []).append(affiliation.partner_id)
        for (user_id, course_id), found in periods.items():
            npcu = self.inputs.courses[course_id].npcu
            for period in united(found):
                for partner_id in partners_of[user_id]:
                    yield partner_id, npcu, period


def key_of(item: Assessed) -> Key:
    """What counts once: one person's one course at one partner."""
    return item.partner_id, item.user_id, item.course_id


def _running_total(steps: Mapping[datetime, int]) -> tuple[TotalAt, ...]:
    totals: list[TotalAt] = []
    npcu = 0
    for moment in sorted(steps):
        npcu += steps[moment]
        totals.append(TotalAt(moment, npcu))
    return tuple(totals)
