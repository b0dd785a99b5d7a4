"""`course_npcu`: the courses' points. A certification that seems to lose its points is read twice."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import dagster as dg

from lms_assets.assets.asset import asset_of
from lms_assets.assets.confirmation import lms_by_id
from lms_assets.assets.listing_sync import refuse_too_many_bad, take_in, write_listing
from lms_assets.assets.sync_run import Step, sync_step
from lms_assets.domain.records.courses import CourseProperties, categorise, course_properties_from_record
from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.confirmation import Answers, ListingResult
from lms_assets.domain.sync_plans.course_points import (
    CoursePointsPlan,
    compared_with_second,
    missing_courses,
    plan_course_points,
    poorer_courses,
)
from lms_assets.resources import NorthpassResource, WarehouseResource
from lms_assets.vendors.northpass.client import NorthpassClient
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.reading.foundation import category_rules, stored_courses
from lms_assets.warehouse.schema.tables import course_properties, lms_courses
from lms_assets.warehouse.upsert.upsert import SyncCounts, update_existing, upsert

# The list of courses owns these of a course it knows; here they only serve versions that it does not know.
OWNED_BY_COURSES = ("name", "description", "status")
NOT_LISTED = "the list of properties no longer has the course"
SHOWN = 20


@asset_of("course_npcu")
def course_npcu(
    context: dg.AssetExecutionContext, northpass: NorthpassResource, warehouse: WarehouseResource
) -> dg.MaterializeResult[Any]:
    """Fetch every course's properties and write its points and category, archived versions included."""
    with sync_step(context, warehouse, "course_npcu") as step:
        with step.warehouse.read() as connection:
            stored = stored_courses(connection)
        with northpass.client() as client:
            listing, answers = _read(step, client, {row.id: row.npcu_value for row in stored})
            step.used(client.http)
        refuse_too_many_bad(step, listing)
        plan = plan_course_points(listing, stored, answers)

        def work(connection: Connection) -> SyncCounts:
            counts, without_category = write_course_points(connection, plan, step.rules, step.now)
            step.metadata["certifications_without_category"] = without_category
            return counts

        write_listing(step, work, plan.listing)
        return step.result(listed=len(plan.catalogue), **_figures(plan))


def _read(
    step: Step, client: NorthpassClient, points: Mapping[str, int]
) -> tuple[ListingResult[CourseProperties], Answers[str, CourseProperties] | None]:
    """Every course's properties; where one has fewer points than are stored, or is missing, all are read once more.

    Args:
        points: course id to its stored points; without any, this is the first load, which is read twice in any case.

    Returns:
        What was read, and what missing courses with points answer when asked for by id.
    """
    convert, first_load = course_properties_from_record, not any(points.values())
    listing = take_in(step, client.course_properties, convert, "courses", again=first_load)
    missing = missing_courses(listing, points)
    if not poorer_courses(listing, points) and not missing:
        return listing, None
    listing = compared_with_second(listing, take_in(step, client.course_properties, convert, "courses"), points)
    if not missing or not listing.complete:
        return listing, None
    listed = {each.course_id for each in listing.accepted}
    return listing, lms_by_id(step, client, client.one_course_properties, convert, known=listed).answers(missing)


def write_course_points(
    connection: Connection, plan: CoursePointsPlan, rules: Rules, now: datetime
) -> tuple[SyncCounts, int]:
    """Write the properties as they came, and points and categories into the courses.

    Returns:
        What was written, and how many certifications have no category.
    """
    kept = [
        {"course_id": each.course_id, "npcu_value": each.npcu.value, "property_data": each.property_data}
        for each in plan.listing.accepted
    ]
    # The courses first: a portal's properties may refer to them.
    counts = upsert(connection, lms_courses, plan.catalogue, key=("id",), now=now, insert_only=OWNED_BY_COURSES)
    nothing = {"npcu_value": 0, "npcu_problem": NOT_LISTED, "is_certification": False}
    left = [{"id": course_id, **nothing} for course_id in sorted(plan.left)]
    counts += update_existing(connection, lms_courses, left, key=("id",), now=now)
    without_category = write_categories(connection, rules, now)
    properties = upsert(connection, course_properties, kept, key=("course_id",), now=now)
    return replace(counts, rejected_rows=(*counts.rejected_rows, *properties.rejected_rows)), without_category


def _figures(plan: CoursePointsPlan) -> dict[str, Any]:
    """How many courses are certifications, and what is odd about them."""
    return {
        "certifications": sum(course.is_certification for course in plan.catalogue),
        "courses_left_the_list": sorted(plan.left)[:SHOWN],
        "invalid_npcu": sum(course.npcu_problem is not None for course in plan.catalogue),
    }


def write_categories(connection: Connection, rules: Rules, now: datetime) -> int:
    """Write the categories; a course without points keeps what it has, which counts nowhere.

    Returns:
        How many certifications have no category.
    """
    patterns = category_rules(connection) or rules.category_rules
    certifications = [each for each in stored_courses(connection) if each.is_certification]
    found = [(each.id, categorise(each.name, patterns, each.decided)) for each in certifications]
    rows = [
        {
            "id": course_id,
            "certification_category": category.name,
            "category_origin": category.origin,
            "category_by_rule": category.by_rule,
        }
        for course_id, category in found
    ]
    update_existing(connection, lms_courses, rows, key=("id",), now=now)
    return sum(category.name is None for _, category in found)
