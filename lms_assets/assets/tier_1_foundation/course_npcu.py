"""One sync of the courses' points. A certification that seems to lose its points is looked at twice before it does."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import dagster as dg

from lms_assets.assets.asset import asset_of
from lms_assets.assets.confirmation import confirm_missing, lms_by_id
from lms_assets.assets.listing_sync import ListingResult, describe, refuse_too_many_bad, take_in
from lms_assets.assets.sync_run import Step, sync_step
from lms_assets.assets.tier_1_foundation.course_categories import write_categories
from lms_assets.domain.records.courses import (
    CatalogueCourse,
    Course,
    CourseProperties,
    course_properties_from_record,
    merge_course,
)
from lms_assets.domain.safety.confirmation import why_readings_prove_nothing
from lms_assets.resources import Connections
from lms_assets.vendors.northpass.client import NorthpassClient
from lms_assets.warehouse import reading
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.schema.tables import course_properties, lms_courses
from lms_assets.warehouse.upsert.upsert import SyncCounts, update_existing, upsert

# The list of courses owns these of a course it knows; here they only serve versions that it does not know.
OWNED_BY_COURSES = ("name", "description", "status")
NOT_LISTED = "the list of properties no longer has the course"
SHOWN = 20


class CoursePoints:
    """`read` first; then `listing_result` and `catalogue` say what came, and `write` does all the writing.

    Raises (from `read`):
        VendorError: the properties could not be read.
        TooManyBadRecords: more than the set share is unreadable.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self.listing_result: ListingResult[CourseProperties]
        self.catalogue: list[CatalogueCourse] = []
        self._left: set[str] = set()
        self._without_category = 0

    def read(self, client: NorthpassClient) -> None:
        """Read every course's properties and merge them with what is stored of the course."""
        step = self._step
        with step.warehouse.read() as connection:
            stored = {row.id: row for row in reading.courses(connection)}
        self.listing_result, self._left = _take_in(step, client, {row.id: row.npcu_value for row in stored.values()})
        refuse_too_many_bad(step, self.listing_result, step.rules)
        for properties in self.listing_result.accepted:
            known = stored.get(properties.course_id)
            course = Course(known.id, known.name, None, known.status) if known else None
            self.catalogue.append(merge_course(course, properties))

    def write(self, connection: Connection) -> SyncCounts:
        """Write the properties as they came, and points and categories into the courses."""
        now = self._step.now
        kept = [
            {"course_id": each.course_id, "npcu_value": each.npcu.value, "property_data": each.property_data}
            for each in self.listing_result.accepted
        ]
        rows = [asdict(course) for course in self.catalogue]
        # The courses first: a portal's properties may refer to them.
        counts = upsert(connection, lms_courses, rows, key=("id",), now=now, insert_only=OWNED_BY_COURSES)
        nothing = {"npcu_value": 0, "npcu_problem": NOT_LISTED, "is_certification": False}
        left = [{"id": course_id, **nothing} for course_id in sorted(self._left)]
        counts += update_existing(connection, lms_courses, left, key=("id",), now=now)
        self._without_category = write_categories(connection, self._step.rules, now)
        properties = upsert(connection, course_properties, kept, key=("course_id",), now=now)
        return replace(counts, rejected_rows=(*counts.rejected_rows, *properties.rejected_rows))

    def figures(self) -> dict[str, Any]:
        """How many courses are certifications, and what is odd about them."""
        certifications = [course for course in self.catalogue if course.is_certification]
        return {
            "certifications": len(certifications),
            "certifications_without_category": self._without_category,
            "courses_left_the_list": sorted(self._left)[:SHOWN],
            "invalid_npcu": sum(course.npcu_problem is not None for course in self.catalogue),
        }


def _take_in(
    step: Step, client: NorthpassClient, points: Mapping[str, int]
) -> tuple[ListingResult[CourseProperties], set[str]]:
    """Read every course's properties; where one has fewer points than are stored, read all of them once more.

    When the two readings differ about one of these, all of them are left out, so that their stored points stay, and
    that is reported.

    Args:
        points: course id to its stored points; without any, this is the first load, which is read twice in any case.

    Returns:
        What was read, and the courses with stored points that the list surely no longer has.
    """
    first_load = not any(points.values())
    listing_result = take_in(step, client.course_properties, course_properties_from_record, "courses", again=first_load)
    poorer = {
        each.course_id: each.npcu for each in listing_result.accepted if each.npcu.value < points.get(each.course_id, 0)
    }
    missing = _missing(listing_result, points)
    if not poorer and not missing:
        return listing_result, set()
    second = take_in(step, client.course_properties, course_properties_from_record, "courses")
    again = {each.course_id: each.npcu for each in second.accepted if each.course_id in poorer}
    doubt = why_readings_prove_nothing(poorer, again, second_is_complete=second.complete)
    if doubt is not None:
        listing_result.accepted = [each for each in listing_result.accepted if each.course_id not in poorer]
        listing_result.proven_incomplete(
            f"of {len(poorer)} courses with fewer points {doubt}; theirs stay as they were"
        )
    if missing - _missing(second, points):
        listing_result.proven_incomplete(
            "a course that the list lacked is there when it is read again; all points stay"
        )
    listed = {each.course_id for each in listing_result.accepted}
    source = lms_by_id(step, client, client.one_course_properties, convert=course_properties_from_record, known=listed)
    return listing_result, confirm_missing(listing_result, source, missing)


def _missing(listing_result: ListingResult[CourseProperties], points: Mapping[str, int]) -> set[str]:
    """Courses with stored points that a reading of the list did not show."""
    seen = {each.course_id for each in listing_result.accepted} | listing_result.bad_ids
    return {course_id for course_id, value in points.items() if value and course_id not in seen}


@asset_of("course_npcu")
def course_npcu(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Fetch every course's properties and write its points and category, archived versions included."""
    with sync_step(context, lms, "course_npcu") as step:
        points = CoursePoints(step)
        with lms.northpass() as client:
            points.read(client)
            step.used(client.http)
        step.write(points.write, **points.listing_result.outcome())
        describe(step, points.listing_result)
        return step.result(len(points.catalogue), **points.figures())
