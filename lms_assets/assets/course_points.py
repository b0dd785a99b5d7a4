"""One sync of the courses' points. A certification that seems to lose its points is looked at twice before it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from lms_assets.assets.intake import Intake, refuse_too_many_bad, take_in
from lms_assets.assets.step import Step
from lms_assets.domain.courses import (
    CatalogueCourse,
    Course,
    CourseProperties,
    course_properties_from_record,
    merge_course,
)
from lms_assets.vendors.northpass import NorthpassClient
from lms_assets.warehouse import reading
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.sync import SyncCounts, upsert
from lms_assets.warehouse.tables import course_properties, lms_courses

# The list of courses owns these of a course it knows; here they only serve versions that it does not know.
OWNED_BY_COURSES = ("name", "description", "status")


class CoursePoints:
    """`read` first; then `intake` and `catalogue` say what came, and `write` does all the writing.

    Raises (from `read`):
        VendorError: the properties could not be read.
        TooManyBadRecords: more than the set share is unreadable.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self.intake: Intake[CourseProperties]
        self.catalogue: list[CatalogueCourse] = []

    def read(self, client: NorthpassClient) -> None:
        """Read every course's properties and merge them with what is stored of the course."""
        step = self._step
        with step.warehouse.read() as connection:
            stored = {row.id: row for row in reading.courses(connection)}
            category_rules = reading.category_rules(connection) or step.rules.category_rules
        self.intake = _take_in(step, client, {row.id: row.npcu_value for row in stored.values()})
        refuse_too_many_bad(step, self.intake, step.rules)
        for properties in self.intake.accepted:
            known = stored.get(properties.course_id)
            course = Course(known.id, known.name, None, known.status) if known else None
            merged = merge_course(course, properties, category_rules, known.category if known else None)
            self.catalogue.append(merged)

    def write(self, connection: Connection) -> SyncCounts:
        """Write the properties as they came, and points and categories into the courses."""
        now = self._step.now
        kept = [
            {"course_id": each.course_id, "npcu_value": each.npcu.value, "property_data": each.property_data}
            for each in self.intake.accepted
        ]
        upsert(connection, course_properties, kept, key=("course_id",), now=now)
        rows = [asdict(course) for course in self.catalogue]
        return upsert(connection, lms_courses, rows, key=("id",), now=now, insert_only=OWNED_BY_COURSES)

    def figures(self) -> dict[str, Any]:
        """How many courses are certifications, and what is odd about them."""
        certifications = [course for course in self.catalogue if course.is_certification]
        return {
            "certifications": len(certifications),
            "certifications_without_category": sum(each.certification_category is None for each in certifications),
            "invalid_npcu": sum(course.npcu_problem is not None for course in self.catalogue),
        }


def _take_in(step: Step, client: NorthpassClient, points: Mapping[str, int]) -> Intake[CourseProperties]:
    """Read every course's properties; where one has fewer points than are stored, read all of them once more.

    A course whose two readings differ is left out, so that its stored points stay, and reported.

    Args:
        points: course id to its stored points; without any, this is the first load, which is read twice in any case.
    """
    first_load = not any(points.values())
    intake = take_in(step, client.course_properties, course_properties_from_record, "courses", again=first_load)
    poorer = {each.course_id for each in intake.accepted if each.npcu.value < points.get(each.course_id, 0)}
    if not poorer:
        return intake
    second = take_in(step, client.course_properties, course_properties_from_record, "courses")
    again = {each.course_id: each.npcu for each in second.accepted}
    doubted = {
        each.course_id
        for each in intake.accepted
        if each.course_id in poorer and again.get(each.course_id, each.npcu) != each.npcu
    }
    if doubted:
        intake.accepted = [each for each in intake.accepted if each.course_id not in doubted]
        intake.proven_incomplete(f"{len(doubted)} courses had other points when read again; theirs stay as they were")
    return intake
