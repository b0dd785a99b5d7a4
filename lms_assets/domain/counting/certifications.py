"""Who holds which certification at an instant, what of it counts for which partner, and why the rest does not.

One judgement (`_judge`) serves the list of reasons and, through it, the counts, so that they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from lms_assets.domain.linking.partner_users import (
    Affiliation,
    ContactFacts,
    GroupFacts,
    PersonFacts,
    Via,
    partner_users,
    people_of_several_partners,
)
from lms_assets.domain.records.dates import LATEST, months_after
from lms_assets.domain.records.transcripts import Enrollment
from lms_assets.domain.rules import CERTIFICATION_MONTHS

__all__ = [
    "Affiliation",
    "Assessed",
    "ContactFacts",
    "CourseFacts",
    "GroupFacts",
    "PartnerCounts",
    "PersonFacts",
    "Verdict",
    "Via",
    "assess",
    "count",
    "expiry_of",
    "held_period",
    "is_held",
    "partner_users",
    "people_of_several_partners",
]

GO_TO_MARKET = "go_to_market"


class Verdict(StrEnum):
    """What became of one enrollment of one person at one partner."""

    COUNTED = "counted"
    NO_NPCU = "no_npcu"
    UNKNOWN_COURSE = "unknown_course"
    NOT_COMPLETED = "not_completed"
    NO_COMPLETION_DATE = "no_completion_date"
    COMPLETED_LATER = "completed_later"
    EXPIRED = "expired"
    SAME_COURSE = "same_course"
    NOT_A_PARTNER_USER = "not_a_partner_user"


@dataclass(frozen=True, slots=True)
class CourseFacts:
    """What of a course matters here. A certification has `npcu` above 0; `category` may be missing."""

    id: str
    name: str
    npcu: int
    category: str | None


@dataclass(frozen=True, slots=True)
class Assessed:
    """One enrollment of one person at one partner. `npcu` and `category` are the course's, counted or not.

    `expires_at` is the effective expiry, None without a completion date. `other` is, for `same_course`, the id of the
    enrollment that counts, and for `not_a_partner_user` what stands in the way.
    """

    partner_id: int
    user_id: str
    course_id: str
    course_name: str
    category: str | None
    npcu: int
    enrollment_id: str
    completed_at: datetime | None
    expires_at: datetime | None
    via: tuple[Via, ...]
    verdict: Verdict
    other: str | None = None

    @property
    def counted(self) -> bool:
        """Whether this is one of the certifications that make up the partner's counts."""
        return self.verdict is Verdict.COUNTED

    @property
    def reason(self) -> str:
        """The verdict in words, with dates in UTC; no personal data."""
        return _REASONS[self.verdict].format(
            expires=_moment(self.expires_at), completed=_moment(self.completed_at), other=self.other
        )


_REASONS = {
    Verdict.COUNTED: "held until {expires}",
    Verdict.NO_NPCU: "no NPCU: the course is no certification",
    Verdict.UNKNOWN_COURSE: "the course is in no list",
    Verdict.NOT_COMPLETED: "not completed",
    Verdict.NO_COMPLETION_DATE: "completed, but without a date: nobody can say since when",
    Verdict.COMPLETED_LATER: "completed later, on {completed}",
    Verdict.EXPIRED: "expired on {expires}",
    Verdict.SAME_COURSE: "another attempt at the same course counts (renewal): {other}",
    Verdict.NOT_A_PARTNER_USER: "{other}",
}


@dataclass(frozen=True, slots=True)
class PartnerCounts:
    """A partner's figures at one instant. `by_category` has every category that occurs, `uncategorised` counts held
    certifications without one, which are in `total_npcu` only.
    """

    partner_id: int
    by_category: Mapping[str, int]
    total_npcu: int
    has_gtm_certification: bool
    uncategorised: int = 0


def expiry_of(enrollment: Enrollment, months: int = CERTIFICATION_MONTHS) -> datetime | None:
    """When it stops counting: `expires_at`, else `months` calendar months after `completed_at`; None without both."""
    if enrollment.expires_at is not None:
        return enrollment.expires_at
    return None if enrollment.completed_at is None else months_after(enrollment.completed_at, months)


def held_period(enrollment: Enrollment, months: int = CERTIFICATION_MONTHS) -> tuple[datetime, datetime] | None:
    """From when (inclusive) until when (exclusive) the enrollment makes its person hold the course; None: never.

    It must be completed and have a completion date; an expiry at or before that date leaves no time at all.

    Args:
        months: how long it holds without an expiry of its own.
    """
    if enrollment.status != "completed" or enrollment.completed_at is None:
        return None
    end = expiry_of(enrollment, months) or LATEST
    return (enrollment.completed_at, end) if end > enrollment.completed_at else None


def is_held(enrollment: Enrollment, at: datetime, months: int = CERTIFICATION_MONTHS) -> bool:
    """Whether it counts at the instant `at` (domain rules, holds): completed at or before, expiring after.

    At the instant of expiry it no longer counts; there is no grace period.

    Args:
        months: how long it holds without an expiry of its own.
    """
    period = held_period(enrollment, months)
    return period is not None and period[0] <= at < period[1]


def assess(
    affiliations: Iterable[Affiliation],
    enrollments: Iterable[Enrollment],
    courses: Mapping[str, CourseFacts],
    *,
    at: datetime,
    months: int = CERTIFICATION_MONTHS,
) -> Iterator[Assessed]:
    """Every enrollment of everybody whom a group or contact connects to a partner, with its verdict at `at`.

    One person's attempts at one course count once for a partner: of several that are held the one that expires last,
    then the one completed last, then the highest id. An enrollment given twice is taken once. The order of what is
    given does not change what is counted; items come by affiliation, course and enrollment id.

    Args:
        at: an aware instant. months: how long a completion holds without an expiry of its own.
        courses: by their LMS id; an enrollment of any other course is `unknown_course`.
    """
    by_person = _by_person_and_course(enrollments)
    judged: dict[str, list[tuple[Enrollment, datetime | None, Verdict, str | None]]] = {}
    for affiliation in affiliations:
        user_id = affiliation.user_id
        if user_id not in judged:
            attempts = by_person.get(user_id, {})
            judged[user_id] = [
                row for course_id in sorted(attempts) for row in _judge(attempts[course_id], courses, at, months)
            ]
        for enrollment, expires_at, verdict, other in judged[user_id]:
            if verdict is Verdict.COUNTED and affiliation.obstacle is not None:
                verdict, other = Verdict.NOT_A_PARTNER_USER, affiliation.obstacle
            course = courses.get(enrollment.course_id)
            yield Assessed(
                partner_id=affiliation.partner_id,
                user_id=user_id,
                course_id=enrollment.course_id,
                course_name=course.name if course else enrollment.course_id,
                category=course.category if course else None,
                npcu=course.npcu if course else 0,
                enrollment_id=enrollment.id,
                completed_at=enrollment.completed_at,
                expires_at=expires_at,
                via=affiliation.via,
                verdict=verdict,
                other=other,
            )


def count(
    assessed: Iterable[Assessed], partner_ids: Iterable[int] = (), gtm_category: str = GO_TO_MARKET
) -> dict[int, PartnerCounts]:
    """The counts that `assess` says, by partner; `partner_ids` are there even with nothing (domain rules, counts)."""
    tallies = {partner_id: Tally() for partner_id in partner_ids}
    for item in assessed:
        if item.counted:
            tallies.setdefault(item.partner_id, Tally()).add(item.category, item.npcu, 1)
    return {partner_id: tally.counts(partner_id, gtm_category) for partner_id, tally in tallies.items()}


class Tally:
    """Running sums of one partner; `add` with -1 takes a certification away."""

    __slots__ = ("by_category", "total_npcu", "uncategorised")

    def __init__(self) -> None:
        self.by_category: dict[str, int] = {}
        self.total_npcu = 0
        self.uncategorised = 0

    def add(self, category: str | None, npcu: int, times: int) -> None:
        """Count a certification `times` more."""
        self.total_npcu += npcu * times
        if category is None:
            self.uncategorised += times
        else:
            self.by_category[category] = self.by_category.get(category, 0) + times

    def counts(self, partner_id: int, gtm_category: str) -> PartnerCounts:
        """The sums as they stand now."""
        by_category = {category: number for category, number in sorted(self.by_category.items()) if number}
        has_gtm = by_category.get(gtm_category, 0) > 0
        return PartnerCounts(partner_id, by_category, self.total_npcu, has_gtm, self.uncategorised)


def _by_person_and_course(enrollments: Iterable[Enrollment]) -> dict[str, dict[str, list[Enrollment]]]:
    found: dict[str, dict[str, list[Enrollment]]] = {}
    for enrollment in enrollments:
        found.setdefault(enrollment.user_id, {}).setdefault(enrollment.course_id, []).append(enrollment)
    for attempts in found.values():
        for course_id, rows in attempts.items():
            if len(rows) > 1:
                attempts[course_id] = sorted({row.id: row for row in rows}.values(), key=lambda each: each.id)
    return found


def _judge(
    attempts: Sequence[Enrollment], courses: Mapping[str, CourseFacts], at: datetime, months: int
) -> Iterator[tuple[Enrollment, datetime | None, Verdict, str | None]]:
    """Each attempt of one person at one course with its effective expiry and verdict, as if a partner user."""
    course = courses.get(attempts[0].course_id)
    counts: Enrollment | None = None
    if course is not None and course.npcu > 0:
        held = [each for each in attempts if is_held(each, at, months)]
        counts = max(held, key=lambda each: (expiry_of(each, months), each.completed_at, each.id), default=None)
    for each in attempts:
        expires_at = expiry_of(each, months) if each.completed_at else None
        if course is None or course.npcu <= 0:
            verdict = Verdict.UNKNOWN_COURSE if course is None else Verdict.NO_NPCU
        elif each is counts:
            verdict = Verdict.COUNTED
        elif each.status != "completed":
            verdict = Verdict.NOT_COMPLETED
        elif each.completed_at is None:
            verdict = Verdict.NO_COMPLETION_DATE
        elif each.completed_at > at:
            verdict = Verdict.COMPLETED_LATER
        else:
            verdict = Verdict.SAME_COURSE if counts else Verdict.EXPIRED
        other = counts.id if counts and verdict is Verdict.SAME_COURSE else None
        yield each, expires_at, verdict, other


def _moment(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC") if moment else "-"
