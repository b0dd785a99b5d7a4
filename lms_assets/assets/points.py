"""Reading the courses' points: a certification that seems to lose its points is looked at twice before it does."""

from __future__ import annotations

from collections.abc import Mapping

from lms_assets.assets.intake import Intake, take_in
from lms_assets.assets.step import Step
from lms_assets.domain.courses import CourseProperties, course_properties_from_record
from lms_assets.vendors.northpass import NorthpassClient


def take_in_properties(step: Step, client: NorthpassClient, points: Mapping[str, int]) -> Intake[CourseProperties]:
    """Read every course's properties; where one has fewer points than are stored, read all of them once more.

    A course whose two readings differ is left out of the intake, so that its stored points stay, and reported.

    Args:
        points: course id to its stored points; empty at the first load, which is read twice in any case.

    Raises:
        VendorError: the listing could not be read.
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
        if each.course_id in poorer and again.get(each.course_id) not in (None, each.npcu)
    }
    if doubted:
        intake.accepted = [each for each in intake.accepted if each.course_id not in doubted]
        intake.proven_incomplete(f"{len(doubted)} courses had other points when read again; theirs stay as they were")
    return intake
