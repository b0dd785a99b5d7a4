"""Tier 4: what counting and pushing need to know of partners."""

from __future__ import annotations

from sqlalchemy import Connection, select

from lms_assets.domain.counting.certifications import CourseFacts, PartnerCounts
from lms_assets.domain.records.contacts import StoredContact
from lms_assets.domain.records.courses import Category, StoredCourse
from lms_assets.domain.records.partners import StoredPartner
from lms_assets.domain.rules import CategoryRule
from lms_assets.warehouse.engine import streamed
from lms_assets.warehouse.results.counts import CATEGORY_COLUMNS, stored_counts
from lms_assets.warehouse.schema.tables import certification_category_rules, contacts, lms_courses, partners


def partner_tiers(connection: Connection) -> dict[int, str | None]:
    """Partner id to its tier."""
    return {row[0]: row[1] for row in connection.execute(select(partners.c.id, partners.c.partner_tier))}


def stored_partner_counts(connection: Connection) -> dict[int, PartnerCounts]:
    """The counts of every partner as stored, by partner id."""
    return {
        partner_id: PartnerCounts(
            partner_id,
            {category: row[column] or 0 for category, column in CATEGORY_COLUMNS.items()},
            row["total_npcu"] or 0,
            bool(row["has_gtm_certification"]),
        )
        for partner_id, row in stored_counts(connection).items()
    }


def stored_partners(connection: Connection) -> tuple[StoredPartner, ...]:
    """Every partner, inactive ones too, by id."""
    c = partners.c
    query = select(c.id, c.account_name, c.salesforce_id, c.impartner_id, c.is_active).order_by(c.id)
    return tuple(StoredPartner(*row) for row in connection.execute(query))


def partner_names(connection: Connection, *, active_only: bool = True) -> dict[int, str]:
    """Partner id to account name."""
    query = select(partners.c.id, partners.c.account_name)
    if active_only:
        query = query.where(partners.c.is_active.is_(True))
    return {row[0]: row[1] for row in connection.execute(query)}


def partner_activity(connection: Connection) -> dict[int, bool]:
    """Partner id to whether it is active."""
    return {row[0]: row[1] for row in connection.execute(select(partners.c.id, partners.c.is_active))}


def primary_users(connection: Connection) -> dict[int, int | None]:
    """Impartner id of each active account to the Impartner id of its primary user."""
    c = partners.c
    query = select(c.impartner_id, c.primary_user_id).where(c.is_active.is_(True), c.impartner_id.is_not(None))
    return {row[0]: row[1] for row in connection.execute(query)}


def stored_contacts(connection: Connection) -> tuple[StoredContact, ...]:
    """Every contact, inactive ones too, by id."""
    c = contacts.c
    query = select(c.id, c.email, c.impartner_id, c.is_active).order_by(c.id)
    return tuple(StoredContact(*row) for row in streamed(connection, query))


def stored_courses(connection: Connection) -> tuple[StoredCourse, ...]:
    """Every course, archived versions too."""
    c = lms_courses.c
    columns = [c.id, c.name, c.status, c.npcu_value, c.npcu_problem, c.is_certification, c.certification_category]
    columns += [c.category_origin, c.category_by_rule]
    return tuple(
        StoredCourse(row[0], row[1], row[2], row[3] or 0, row[4], bool(row[5]), row[6], Category(*row[6:9]))
        for row in connection.execute(select(*columns).order_by(c.id))
    )


def known_course_ids(connection: Connection) -> set[str]:
    """Ids of every course."""
    return set(connection.execute(select(lms_courses.c.id)).scalars())


def course_facts(connection: Connection) -> dict[str, CourseFacts]:
    """What counting needs of every course, by id."""
    return {
        each.id: CourseFacts(each.id, each.name or each.id, each.npcu_value, each.category)
        for each in stored_courses(connection)
    }


def category_rules(connection: Connection) -> tuple[CategoryRule, ...]:
    """The portal's category rules, highest priority first; of equal ones the older first."""
    c = certification_category_rules.c
    query = select(c.category, c.pattern, c.priority).order_by(c.priority.desc(), c.id)
    return tuple(CategoryRule(*row) for row in connection.execute(query))


def partner_of_contacts(connection: Connection) -> dict[int, int | None]:
    """Contact id to the partner it is linked to."""
    c = contacts.c
    return {row[0]: row[1] for row in streamed(connection, select(c.id, c.partner_id))}
