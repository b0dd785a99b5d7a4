"""Which certifications counted for which partner, and from when until when, worked out from their dates.

The ledger knows better since its first counting; this is for the time before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from lms_assets.domain.counting.certifications import GO_TO_MARKET, Affiliation, Assessed, CourseFacts, held_period
from lms_assets.domain.records.transcripts import Enrollment
from lms_assets.domain.rules import CERTIFICATION_MONTHS

Key = tuple[int, str, str]
"""Partner row id, LMS user id, course id: what counts once."""
Period = tuple[datetime, datetime]


@dataclass(frozen=True)
class CountingInputs:
    """What counting needs, as `certifications.assess` takes it."""

    affiliations: Sequence[Affiliation]
    enrollments: Sequence[Enrollment]
    courses: Mapping[str, CourseFacts]
    months: int = CERTIFICATION_MONTHS
    gtm_category: str = GO_TO_MARKET


class Held(NamedTuple):
    """A certification of one person that counted for one partner from `start` until `end` (UTC, the end excluded)."""

    partner_id: int
    user_id: str
    course_id: str
    course_name: str
    category: str | None
    npcu: int
    completed_at: datetime
    expires_at: datetime
    start: datetime
    end: datetime


def held_by_dates(inputs: CountingInputs, until: datetime) -> Iterator[Held]:
    """What the people of today held before `until`, by the dates of completion and expiry.

    Who belonged to whom then is not known. Several attempts at one course without a gap between them are one period.
    """
    partners_of: dict[str, list[int]] = {}
    for each in inputs.affiliations:
        if each.obstacle is None:
            partners_of.setdefault(each.user_id, []).append(each.partner_id)
    periods: dict[tuple[str, str], list[Period]] = {}
    for enrollment in inputs.enrollments:
        course = inputs.courses.get(enrollment.course_id)
        if course is None or course.npcu <= 0 or enrollment.user_id not in partners_of:
            continue
        period = held_period(enrollment, inputs.months)
        if period is not None and period[0] < until:
            periods.setdefault((enrollment.user_id, course.id), []).append(period)
    for (user_id, course_id), found in periods.items():
        course = inputs.courses[course_id]
        for start, end in united(found) if len(found) > 1 else found:
            for partner_id in partners_of[user_id]:
                yield Held(partner_id, user_id, course_id, course.name, course.category, course.npcu,
                           start, end, start, min(end, until))  # fmt: skip


def united(periods: Iterable[Period]) -> list[Period]:
    """The same time as non-overlapping periods: two attempts at one course hold it once."""
    merged: list[Period] = []
    for start, end in sorted(periods):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def key_of(item: Assessed) -> Key:
    """What counts once: one person's one course at one partner."""
    return item.partner_id, item.user_id, item.course_id
