"""Counts at many instants at once, in one sweep over the periods in which certifications are held."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from lms_assets.domain.counting.certifications import (
    GO_TO_MARKET,
    Affiliation,
    CourseFacts,
    PartnerCounts,
    Tally,
    held_period,
)
from lms_assets.domain.records.transcripts import Enrollment
from lms_assets.domain.rules_defaults import CERTIFICATION_MONTHS

Period = tuple[datetime, datetime]


def counts_over_time(
    affiliations: Sequence[Affiliation],
    enrollments: Iterable[Enrollment],
    courses: Mapping[str, CourseFacts],
    instants: Iterable[datetime],
    *,
    months: int = CERTIFICATION_MONTHS,
    partner_ids: Iterable[int] = (),
    gtm_category: str = GO_TO_MARKET,
) -> Iterator[tuple[datetime, dict[int, PartnerCounts]]]:
    """For each instant, in order of time and once, what `count(assess(..., at=instant), partner_ids)` gives (a partner
    that is not in `partner_ids` stays in the answer with zeros once it has counted).

    Affiliations are those of today: who belonged to whom in the past is not known, so a past figure says what today's
    people held then. Cost: one sort of all periods, then only what changes between two instants.
    """
    partners_of: dict[str, list[int]] = {}
    for each in affiliations:
        if each.obstacle is None:
            partners_of.setdefault(each.user_id, []).append(each.partner_id)
    tallies = {partner_id: Tally() for partner_id in partner_ids}
    counts = {partner_id: tally.counts(partner_id, gtm_category) for partner_id, tally in tallies.items()}
    events = _events(partners_of, enrollments, courses, months)
    position = 0
    for instant in sorted(set(instants)):
        touched: set[int] = set()
        while position < len(events) and events[position][0] <= instant:
            _, times, user_id, course_id = events[position]
            position += 1
            course = courses[course_id]
            for partner_id in partners_of[user_id]:
                tallies.setdefault(partner_id, Tally()).add(course.category, course.npcu, times)
                touched.add(partner_id)
        for partner_id in touched:
            counts[partner_id] = tallies[partner_id].counts(partner_id, gtm_category)
        yield instant, dict(counts)


def united(periods: Iterable[Period]) -> list[Period]:
    """The same time as non-overlapping periods: two attempts at one course hold it once."""
    merged: list[Period] = []
    for start, end in sorted(periods):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _events(
    partners_of: Mapping[str, object],
    enrollments: Iterable[Enrollment],
    courses: Mapping[str, CourseFacts],
    months: int,
) -> list[tuple[datetime, int, str, str]]:
    periods: dict[tuple[str, str], list[Period]] = {}
    for enrollment in enrollments:
        course = courses.get(enrollment.course_id)
        if course is None or course.npcu <= 0 or enrollment.user_id not in partners_of:
            continue
        period = held_period(enrollment, months)
        if period is not None:
            periods.setdefault((enrollment.user_id, enrollment.course_id), []).append(period)
    events = []
    for (user_id, course_id), found in periods.items():
        for start, end in united(found) if len(found) > 1 else found:
            events.append((start, 1, user_id, course_id))
            events.append((end, -1, user_id, course_id))
    events.sort()
    return events
