"""Tier 1: what there is to learn and who sells it. `courses`, `course_npcu`, `partners`, `contacts`."""

# No postponed annotations: Dagster reads the type of `context` from the function itself.

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

import dagster as dg

from lms_assets.assets.absences import stop_if_too_many
from lms_assets.assets.crm_fields import ACCOUNT_FIELDS, CONTACT_FIELDS
from lms_assets.assets.crm_records import CrmSource, ask_again, confirm_absences, confirm_exclusions, take_in_all
from lms_assets.assets.define import asset_of
from lms_assets.assets.employers import Employers, Regions
from lms_assets.assets.intake import Intake, describe, refuse_too_many_bad, take_in
from lms_assets.assets.points import take_in_properties
from lms_assets.assets.step import sync_step
from lms_assets.domain.contact_rows import StoredContact, assign_contact_rows, surrendered_email
from lms_assets.domain.contacts import choose_per_email, contact_from_user
from lms_assets.domain.courses import (
    Course,
    course_from_record,
    merge_course,
)
from lms_assets.domain.partner_rows import StoredPartner
from lms_assets.domain.partners import assign_partner_rows, partner_from_account
from lms_assets.resources import Connections
from lms_assets.warehouse import reading
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.sync import SyncCounts, deactivate, update_existing, upsert
from lms_assets.warehouse.tables import contacts as contacts_table
from lms_assets.warehouse.tables import course_properties, lms_courses
from lms_assets.warehouse.tables import partners as partners_table

T = TypeVar("T")


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

        def work(connection: Connection) -> SyncCounts:
            return upsert(connection, lms_courses, rows, key=("id",), now=step.now)

        step.write(work, **intake.outcome())
        describe(step, intake)
        return step.result(len(rows))


@asset_of("course_npcu", table="lms_courses")
def course_npcu(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Fetch every course's properties and write its points and category, archived versions included."""
    with sync_step(context, lms, "course_npcu") as step:
        with step.warehouse.read() as connection:
            stored = {row.id: row for row in reading.courses(connection)}
            category_rules = reading.category_rules(connection) or step.rules.category_rules
        points = {row.id: row.npcu_value for row in stored.values()}
        with lms.northpass() as client:
            intake = take_in_properties(step, client, points)
            step.used(client.http)
        refuse_too_many_bad(step, intake, step.rules)
        merged = []
        for properties in intake.accepted:
            known = stored.get(properties.course_id)
            course = Course(known.id, known.name, None, known.status) if known else None
            merged.append(merge_course(course, properties, category_rules, known.category if known else None))
        catalogue = [asdict(course) for course in merged]
        # The list of courses owns these of a course it knows; here they only serve versions that it does not know.
        owned_by_courses = ("name", "description", "status")
        kept = [
            {
                "course_id": properties.course_id,
                "npcu_value": properties.npcu.value,
                "property_data": properties.property_data,
            }
            for properties in intake.accepted
        ]

        def work(connection: Connection) -> SyncCounts:
            upsert(connection, course_properties, kept, key=("course_id",), now=step.now)
            return upsert(connection, lms_courses, catalogue, key=("id",), now=step.now, insert_only=owned_by_courses)

        step.write(work, **intake.outcome())
        describe(step, intake)
        certifications = [course for course in merged if course.is_certification]
        return step.result(
            len(catalogue),
            certifications=len(certifications),
            certifications_without_category=sum(course.certification_category is None for course in certifications),
            invalid_npcu=sum(course.npcu_problem is not None for course in merged),
        )


@asset_of("partners", table="partners")
def partners(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Fetch every account, keep the partners among them, and deactivate those that are gone or no longer count."""
    with sync_step(context, lms, "partners") as step:
        with step.warehouse.read() as connection:
            stored = reading.stored_partners(connection)
        active = _rows_by_crm_id(stored)
        with lms.impartner() as client:
            regions = Regions(client)
            source = CrmSource(
                client,
                "Account",
                ACCOUNT_FIELDS,
                lambda record: partner_from_account(record, step.rules, regions),
                lambda partner: partner.impartner_id,
            )
            intake = take_in_all(step, source, "accounts", first_load=not stored)
            refuse_too_many_bad(step, intake, step.rules)
            leaving_ids = _leaving(intake, source, active)
            step.used(client.http)
        assignment = assign_partner_rows(intake.accepted, stored, complete=intake.complete)
        kept_rows = {row_id for row_id, _ in assignment.rows}
        leaving = {row_id for crm_id in leaving_ids for row_id in active[crm_id]} - kept_rows
        stop_if_too_many(step, "partner", sum(row.is_active for row in stored), leaving)
        rows = [
            {"id": row_id, **asdict(partner), "is_active": True, "deleted_at": None}
            for row_id, partner in assignment.rows
        ]

        def work(connection: Connection) -> SyncCounts:
            moves = [{"id": row_id, "account_name": name} for row_id, name in assignment.name_moves]
            update_existing(connection, partners_table, moves, key=("id",), now=step.now)
            gone_now = deactivate(
                connection, partners_table, leaving, now=step.now, values={"account_status": "Inactive"}
            )
            return upsert(connection, partners_table, rows, key=("id",), now=step.now) + SyncCounts(
                deactivated=gone_now
            )

        step.write(work, **intake.outcome())
        describe(step, intake)
        return step.result(
            len(rows), findings=[f"{finding.entity_id}: {finding.problem}" for finding in assignment.findings][:20]
        )


def _rows_by_crm_id(stored: Iterable[StoredPartner | StoredContact]) -> dict[int, set[int]]:
    """CRM id to its active rows: an adopted portal may hold an account twice."""
    found: dict[int, set[int]] = {}
    for row in stored:
        if row.is_active and row.impartner_id is not None:
            found.setdefault(row.impartner_id, set()).add(row.id)
    return found


def _leaving(intake: Intake[T], source: CrmSource[T], active: Mapping[int, set[int]]) -> set[int]:
    """CRM ids of active rows that are gone or that a rule leaves out now, each confirmed by asking for it."""
    seen = source.ids(intake)
    gone = confirm_absences(intake, source, set(active) - seen)
    excluded = confirm_exclusions(intake, source, {crm_id for crm_id in active if str(crm_id) in intake.excluded_ids})
    return gone | excluded if intake.complete else set()


@asset_of("contacts", table="contacts")
def contacts(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Fetch every CRM user, keep the partners' people, link each to its partner, deactivate those who left."""
    with sync_step(context, lms, "contacts") as step:
        with step.warehouse.read() as connection:
            stored = reading.stored_contacts(connection)
            employers = Employers.of(connection)
        active = _rows_by_crm_id(stored)
        with lms.impartner() as client:
            source = CrmSource(
                client,
                "User",
                CONTACT_FIELDS,
                lambda record: contact_from_user(record, step.rules),
                lambda contact: contact.impartner_id,
            )
            intake = take_in_all(step, source, "contacts", first_load=not stored)
            ask_again(intake, source, employers.lost_links(intake.accepted))
            kept, doubles = choose_per_email(intake.accepted, employers.active_partner_of)
            intake.rejected.extend(doubles)
            refuse_too_many_bad(step, intake, step.rules)
            leaving_ids = _leaving(intake, source, active)
            step.used(client.http)
        assignment = assign_contact_rows([(each.impartner_id, each.email) for each in kept], stored)
        leaving_ids |= {crm_id for crm_id in active if str(crm_id) in {each.entity_id for each in doubles}}
        leaving = {row_id for crm_id in leaving_ids for row_id in active[crm_id]} - set(assignment.rows)
        leaving |= {row.id for row in stored if row.is_active and row.id in assignment.displaced}
        stop_if_too_many(step, "contact", sum(row.is_active for row in stored), leaving)
        rows = [employers.contact_row(row_id, contact) for row_id, contact in zip(assignment.rows, kept, strict=True)]

        def work(connection: Connection) -> SyncCounts:
            gone_now = deactivate(connection, contacts_table, leaving, now=step.now)
            released = [{"id": row_id, "email": surrendered_email(row_id)} for row_id in assignment.displaced]
            update_existing(connection, contacts_table, released, key=("id",), now=step.now)
            return upsert(connection, contacts_table, rows, key=("id",), now=step.now) + SyncCounts(
                deactivated=gone_now
            )

        step.write(work, **intake.outcome())
        describe(step, intake)
        return step.result(len(rows), without_partner=sum(row["partner_id"] is None for row in rows))
