"""Tier 1: what there is to learn and who sells it. `courses`, `course_npcu`, `partners`, `contacts`."""

# No postponed annotations: Dagster reads the type of `context` from the function itself.

from dataclasses import asdict
from typing import Any

import dagster as dg

from lms_assets.assets.absences import confirm_crm_absences, stop_if_too_many
from lms_assets.assets.crm_fields import ACCOUNT_FIELDS, CONTACT_FIELDS
from lms_assets.assets.define import asset_of
from lms_assets.assets.intake import describe, refuse_too_many_bad, take_in
from lms_assets.assets.step import sync_step
from lms_assets.domain.contact_rows import assign_contact_rows, surrendered_email
from lms_assets.domain.contacts import (
    Contact,
    choose_per_email,
    contact_from_user,
    is_primary,
    partner_of_contact,
)
from lms_assets.domain.courses import (
    Course,
    course_from_record,
    course_properties_from_record,
    merge_course,
)
from lms_assets.domain.partners import assign_partner_rows, partner_from_account, rows_by_name
from lms_assets.resources import Connections
from lms_assets.warehouse import reading
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.sync import SyncCounts, deactivate, update_existing, upsert
from lms_assets.warehouse.tables import contacts as contacts_table
from lms_assets.warehouse.tables import course_properties, lms_courses
from lms_assets.warehouse.tables import partners as partners_table


@asset_of("courses", table="lms_courses")
def courses(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Fetch every course and write its name, description and status."""
    with sync_step(context, lms, "courses") as step:
        with lms.northpass() as client:
            intake = take_in(step, client.courses, course_from_record, "courses")
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
        with lms.northpass() as client:
            intake = take_in(step, client.course_properties, course_properties_from_record, "courses")
            step.used(client.http)
        refuse_too_many_bad(step, intake, step.rules)
        with step.warehouse.read() as connection:
            stored = {row.id: row for row in reading.courses(connection)}
            category_rules = reading.category_rules(connection) or step.rules.category_rules
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
        active = {row.impartner_id: row.id for row in stored if row.is_active and row.impartner_id is not None}
        with lms.impartner() as client:
            regions = {row["Id"]: row["Name"] for row in client.list("Region", ["Id", "Name"]) if row["Name"]}
            intake = take_in(
                step,
                lambda: client.list("Account", ACCOUNT_FIELDS),
                lambda record: partner_from_account(record, step.rules, regions),
                "accounts",
            )
            refuse_too_many_bad(step, intake, step.rules)
            listed = {partner.impartner_id for partner in intake.accepted}
            seen = {str(each) for each in listed} | intake.excluded_ids | intake.bad_ids
            absent = {crm_id for crm_id in active if str(crm_id) not in seen}
            gone = confirm_crm_absences(intake, client, "Account", absent)
            step.used(client.http)
        assignment = assign_partner_rows(intake.accepted, stored, complete=intake.complete)
        excluded = {crm_id for crm_id in active if str(crm_id) in intake.excluded_ids}
        kept_rows = {row_id for row_id, _ in assignment.rows}
        leaving = {active[crm_id] for crm_id in gone | excluded} - kept_rows
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


@asset_of("contacts", table="contacts")
def contacts(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Fetch every CRM user, keep the partners' people, link each to its partner, deactivate those who left."""
    with sync_step(context, lms, "contacts") as step:
        with step.warehouse.read() as connection:
            stored = reading.stored_contacts(connection)
            partner_rows = [row for row in reading.stored_partners(connection) if row.is_active]
            primary_users = reading.primary_users(connection)
        active = {row.impartner_id: row.id for row in stored if row.is_active and row.impartner_id is not None}
        with lms.impartner() as client:
            intake = take_in(
                step,
                lambda: client.list("User", CONTACT_FIELDS),
                lambda record: contact_from_user(record, step.rules),
                "contacts",
            )
            by_id = {row.impartner_id: row.id for row in partner_rows if row.impartner_id is not None}
            by_name = rows_by_name(partner_rows)
            kept, doubles = choose_per_email(intake.accepted, lambda each: partner_of_contact(each, by_id, by_name))
            intake.rejected.extend(doubles)
            refuse_too_many_bad(step, intake, step.rules)
            seen = {str(each.impartner_id) for each in intake.accepted} | intake.excluded_ids | intake.bad_ids
            absent = {crm_id for crm_id in active if str(crm_id) not in seen}
            gone = confirm_crm_absences(intake, client, "User", absent)
            step.used(client.http)
        assignment = assign_contact_rows([(each.impartner_id, each.email) for each in kept], stored)
        left_out = intake.excluded_ids | {each.entity_id for each in doubles}
        excluded = {crm_id for crm_id in active if str(crm_id) in left_out}
        leaving = {active[crm_id] for crm_id in gone | excluded} - set(assignment.rows)
        leaving |= {row.id for row in stored if row.is_active and row.id in assignment.displaced}
        stop_if_too_many(step, "contact", sum(row.is_active for row in stored), leaving)
        rows = [
            _contact_row(row_id, contact, partner_of_contact(contact, by_id, by_name), primary_users)
            for row_id, contact in zip(assignment.rows, kept, strict=True)
        ]

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


def _contact_row(
    row_id: int | None, contact: Contact, partner_id: int | None, primary_users: dict[int, int | None]
) -> dict[str, Any]:
    return {
        "id": row_id,
        "partner_id": partner_id,
        "email": contact.email,
        "first_name": contact.first_name,
        "last_name": contact.last_name,
        "title": contact.title,
        "phone": contact.phone,
        "is_primary": is_primary(contact, primary_users),
        "impartner_id": contact.impartner_id,
        "is_active": True,
        "deleted_at": None,
        "crm_last_modified": contact.crm_last_modified,
    }
