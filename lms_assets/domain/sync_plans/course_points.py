"""What a sync of the courses' points writes. A certification that seems to lose its points is looked at twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from lms_assets.domain.records.courses import (
    CatalogueCourse,
    Course,
    CourseProperties,
    Npcu,
    StoredCourse,
    merge_course,
)
from lms_assets.domain.safety.confirmation import Answers, ListingResult, confirm_missing, why_readings_prove_nothing
from lms_assets.domain.wording import number_of


@dataclass(frozen=True)
class CoursePointsPlan:
    """What is to be written of the courses' points.

    Attributes:
        listing: what was read, incomplete where a second look contradicts it.
        catalogue: each listed course with its points.
        left: ids of courses with stored points that the list surely no longer has.
    """

    listing: ListingResult[CourseProperties]
    catalogue: tuple[CatalogueCourse, ...]
    left: frozenset[str]


def poorer_courses(listing: ListingResult[CourseProperties], points: Mapping[str, int]) -> dict[str, Npcu]:
    """Course id to listed points, of courses that have fewer than are stored.

    Args:
        points: course id to its stored points.
    """
    return {each.course_id: each.npcu for each in listing.accepted if each.npcu.value < points.get(each.course_id, 0)}


def missing_courses(listing: ListingResult[CourseProperties], points: Mapping[str, int]) -> set[str]:
    """Courses with stored points that a reading of the list did not show.

    Args:
        points: course id to its stored points.
    """
    seen = {each.course_id for each in listing.accepted} | listing.bad_ids
    return {course_id for course_id, value in points.items() if value and course_id not in seen}


def compared_with_second(
    first: ListingResult[CourseProperties], second: ListingResult[CourseProperties], points: Mapping[str, int]
) -> ListingResult[CourseProperties]:
    """The first reading, as far as a second one does not contradict it.

    When the two differ about one course with fewer points than are stored, all of these are left out, so that their
    stored points stay. When the second shows a course that the first lacked, the first is incomplete.
    """
    poorer = poorer_courses(first, points)
    again = {each.course_id: each.npcu for each in second.accepted if each.course_id in poorer}
    problem = why_readings_prove_nothing(poorer, again, second_is_complete=second.complete)
    listing = first
    if problem is not None:
        kept = tuple(each for each in first.accepted if each.course_id not in poorer)
        listing = replace(first, accepted=kept).incomplete(
            f"of {number_of(len(poorer), 'course')} with fewer points {problem}; theirs stay as they were"
        )
    if missing_courses(first, points) - missing_courses(second, points):
        return listing.incomplete("a course that the list lacked is there when it is read again; all points stay")
    return listing


def plan_course_points(
    listing: ListingResult[CourseProperties],
    stored: Iterable[StoredCourse],
    answers: Answers[str, CourseProperties] | None = None,
) -> CoursePointsPlan:
    """Decide what the listing changes, given what missing courses with points answered by id."""
    listing, left = confirm_missing(listing, answers)
    known = {row.id: Course(row.id, row.name, None, row.status) for row in stored}
    catalogue = tuple(merge_course(known.get(each.course_id), each) for each in listing.accepted)
    return CoursePointsPlan(listing, catalogue, left)
