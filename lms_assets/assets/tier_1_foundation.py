"""Tier 1: what there is to learn and who sells it. `courses`, `course_npcu`, `partners`, `contacts`."""

# No postponed annotations: Dagster reads the type of `context` from the function itself.

from dataclasses import asdict
from typing import Any

import dagster as dg

from lms_assets.assets.contact_sync import ContactSync
from lms_assets.assets.course_categories import write_categories
from lms_assets.assets.course_points import CoursePoints
from lms_assets.assets.define import asset_of
from lms_assets.assets.intake import describe, refuse_too_many_bad, take_in
from lms_assets.assets.partner_sync import PartnerSync
from lms_assets.assets.step import sync_step
from lms_assets.domain.courses import course_from_record
from lms_assets.resources import Connections
from lms_assets.warehouse import reading
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.sync import SyncCounts, upsert
from lms_assets.warehouse.tables import lms_courses


@asset_of("courses", table="lms_courses")
def courses(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Fetch every course and write its name, description and status."""
    with sync_step(context, lms, "courses") as step:
        with step.warehouse.read() as connection:
            known = reading.known_course_ids(connection)
        with lms.northpass() as client:
            intake = take_in(step, client.courses, course_from_record, "courses", again=not known)
            step.used(client.http)
        refuse_too_many_bad(step, intake, step.rules)
        rows = [asdict(course) | {"name": course.name or course.id} for course in intake.accepted]

        def write(connection: Connection) -> SyncCounts:
            counts = upsert(connection, lms_courses, rows, key=("id",), now=step.now)
            write_categories(connection, step.rules, step.now)
            return counts

        step.write(write, **intake.outcome())
        describe(step, intake)
        return step.result(len(rows))


@asset_of("course_npcu", table="lms_courses")
def course_npcu(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Fetch every course's properties and write its points and category, archived versions included."""
    with sync_step(context, lms, "course_npcu") as step:
        points = CoursePoints(step)
        with lms.northpass() as client:
            points.read(client)
            step.used(client.http)
        step.write(points.write, **points.intake.outcome())
        describe(step, points.intake)
        return step.result(len(points.catalogue), **points.figures())


@asset_of("partners", table="partners")
def partners(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Fetch every account, keep the partners among them, and deactivate those that are gone or no longer count."""
    with sync_step(context, lms, "partners") as step:
        sync = PartnerSync(step)
        with lms.impartner() as client:
            sync.read(client)
            step.used(client.http)
        step.write(sync.write, **sync.intake.outcome())
        describe(step, sync.intake)
        findings = [f"{finding.entity_id}: {finding.problem}" for finding in sync.assignment.findings]
        return step.result(len(sync.assignment.rows), findings=findings[:20])


@asset_of("contacts", table="contacts")
def contacts(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Fetch every CRM user, keep the partners' people, link each to its partner, deactivate those who left."""
    with sync_step(context, lms, "contacts") as step:
        sync = ContactSync(step)
        with lms.impartner() as client:
            sync.read(client)
            step.used(client.http)
        step.write(sync.write, **sync.intake.outcome())
        describe(step, sync.intake)
        without_partner = sum(row["partner_id"] is None for row in sync.rows)
        duplicates = sum(each.kind == "duplicate" for each in sync.intake.rejected)
        return step.result(len(sync.rows), without_partner=without_partner, duplicate_emails=duplicates)
