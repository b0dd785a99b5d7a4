"""Reading what the reports are made of: who reads them, partners, what counting needs, stored counts of past days."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, func, select
from sqlalchemy.sql.elements import ColumnElement

from lms_assets.domain.counting.certifications import GO_TO_MARKET, PartnerCounts
from lms_assets.domain.counting.holdings import CountingInputs
from lms_assets.domain.counting.report_facts import Executive, Manager, PartnerFacts
from lms_assets.domain.rules import CERTIFICATION_MONTHS
from lms_assets.warehouse.reading.enrollments import stored_enrollments
from lms_assets.warehouse.reading.foundation import course_facts
from lms_assets.warehouse.reading.people import stored_affiliations
from lms_assets.warehouse.results.counts import CATEGORY_COLUMNS
from lms_assets.warehouse.schema.tables import (
    contacts,
    executive_report_recipients,
    leads,
    lms_group_members,
    lms_groups,
    lms_users,
    partner_cert_history,
    partner_managers,
    partners,
)
from lms_assets.warehouse.upsert.compare import chunks


def managers(connection: Connection, *, with_address: bool = True) -> tuple[Manager, ...]:
    """Active PAMs with reports enabled, by id: those with an address, or all."""
    c = partner_managers.c
    columns = c.id, c.owner_name, c.email, c.region, c.report_frequency, c.last_report_sent
    query = select(*columns).where(c.is_active_pam.is_(True), c.email_reports_enabled.is_(True))
    if with_address:
        query = query.where(_filled(c.email))
    return tuple(
        Manager(row[0], row[1] or "", (row[2] or "").strip(), row[3], row[4] or "weekly", row[5])
        for row in connection.execute(query.order_by(c.id))
    )


def account_owners(connection: Connection) -> tuple[str, ...]:
    """The account owners of the active partners."""
    c = partners.c
    query = select(c.account_owner).where(c.is_active.is_(True), _filled(c.account_owner)).distinct()
    return tuple(connection.execute(query).scalars())


def executives(connection: Connection, *, with_address: bool = True) -> tuple[Executive, ...]:
    """Active recipients of the executive report, by id: those with an address, or all."""
    c = executive_report_recipients.c
    query = select(c.id, c.email, c.name).where(c.is_active.is_(True))
    if with_address:
        query = query.where(_filled(c.email))
    rows = connection.execute(query.order_by(c.id))
    return tuple(Executive(row[0], (row[1] or "").strip(), row[2]) for row in rows)


def partner_facts(connection: Connection, *, at: datetime) -> tuple[PartnerFacts, ...]:
    """Every active partner, by id; leads of the 30 days up to `at` (UTC)."""
    c = partners.c
    names = ("id", "account_name", "partner_tier", "account_region", "account_owner", "total_npcu")
    columns = [*(c[name] for name in names), c.cert_counts_updated_at, *(c[x] for x in CATEGORY_COLUMNS.values())]
    recent, missing, alone = _recent_leads(connection, at), _contacts_not_in_lms(connection), _in_no_group(connection)
    return tuple(
        PartnerFacts(
            id=row[0],
            name=row[1],
            tier=row[2],
            region=row[3],
            owner=row[4],
            stored_npcu=row[5] or 0,
            counted_at=row[6],
            stored_by_category={category: row[7 + place] or 0 for place, category in enumerate(CATEGORY_COLUMNS)},
            leads_last_30_days=recent.get(row[0], 0),
            contacts_not_in_lms=missing.get(row[0], 0),
            people_in_no_group=alone.get(row[0], 0),
        )
        for row in connection.execute(select(*columns).where(c.is_active.is_(True)).order_by(c.id))
    )


def find_partners(connection: Connection, text: str) -> tuple[PartnerFacts, ...]:
    """Stored partners, inactive ones too, whose id is `text` or whose name it is, else whose name contains it.

    Case does not matter. Leads and people are not filled in.
    """
    c = partners.c
    wanted = text.strip().casefold()
    rows = connection.execute(
        select(c.id, c.account_name, c.partner_tier, c.account_owner, c.total_npcu, c.cert_counts_updated_at,
               *(c[name] for name in CATEGORY_COLUMNS.values())).order_by(c.id)
    ).all()  # fmt: skip
    exact = [row for row in rows if str(row[0]) == wanted or row[1].strip().casefold() == wanted]
    found = exact or [row for row in rows if wanted and wanted in row[1].casefold()]
    return tuple(
        PartnerFacts(
            id=row[0],
            name=row[1],
            tier=row[2],
            owner=row[3],
            stored_npcu=row[4] or 0,
            counted_at=row[5],
            stored_by_category={category: row[6 + place] or 0 for place, category in enumerate(CATEGORY_COLUMNS)},
        )
        for row in found
    )


def counting_inputs(
    connection: Connection,
    *,
    months: int = CERTIFICATION_MONTHS,
    gtm_category: str = GO_TO_MARKET,
) -> CountingInputs:
    """What counting needs of all partners, whose people are whose included.

    Enrollments of people at no partner are left out.
    """
    found = stored_affiliations(connection)
    people = {each.user_id for each in found}
    kept = tuple(each for each in stored_enrollments(connection) if each.user_id in people)
    return CountingInputs(found, kept, course_facts(connection), months, gtm_category)


def people_names(connection: Connection, user_ids: Collection[str] | None = None) -> dict[str, str]:
    """First and last name of LMS people by id, of all when None; people without any name are missing."""
    c = lms_users.c
    query = select(c.id, c.first_name, c.last_name)
    queries = [query] if user_ids is None else [query.where(c.id.in_(part)) for part in chunks(user_ids)]
    found = {}
    for each in queries:
        for user_id, first, last in connection.execute(each):
            name = " ".join(part.strip() for part in (first, last) if part and part.strip())
            if name:
                found[user_id] = name
    return found


def counted_on(
    connection: Connection, partner_id: int, days: Iterable[date]
) -> dict[date, tuple[datetime, PartnerCounts]]:
    """As of which instant (UTC) a partner was last counted on each of these days, and what was stored then."""
    c = partner_cert_history.c
    columns = c.day, c.as_of, c.total_npcu, c.has_gtm_certification
    query = select(*columns, *(c[name] for name in CATEGORY_COLUMNS.values()))
    query = query.where(c.partner_id == partner_id, c.day.in_(list(days)), c.origin == "chain")
    found = {}
    for day, as_of, npcu, has_gtm, *numbers in connection.execute(query):
        by_category = {category: number or 0 for category, number in zip(CATEGORY_COLUMNS, numbers, strict=True)}
        found[day] = as_of, PartnerCounts(partner_id, by_category, npcu, has_gtm)
    return found


def _filled(column: ColumnElement[str]) -> ColumnElement[bool]:
    return func.trim(func.coalesce(column, "")) != ""


def _recent_leads(connection: Connection, at: datetime) -> dict[int, int]:
    c = leads.c
    recent = c.partner_id.is_not(None), c.lead_created_at > at - timedelta(days=30), c.lead_created_at <= at
    query = select(c.partner_id, func.count()).where(*recent).group_by(c.partner_id)
    return {row[0]: row[1] for row in connection.execute(query)}


def _contacts_not_in_lms(connection: Connection) -> dict[int, int]:
    """Active contacts of each partner without an active LMS account."""
    c, u = contacts.c, lms_users.c
    query = (
        select(c.partner_id, func.count())
        .select_from(contacts.outerjoin(lms_users, (u.id == c.lms_user_id) & u.is_active.is_(True)))
        .where(c.partner_id.is_not(None), c.is_active.is_(True), u.id.is_(None))
    )
    return {row[0]: row[1] for row in connection.execute(query.group_by(c.partner_id))}


def _in_no_group(connection: Connection) -> dict[int, int]:
    """Active LMS people of each partner's active contacts who are in none of the partner's active groups."""
    c, u, g, m = contacts.c, lms_users.c, lms_groups.c, lms_group_members.c
    in_group = (
        select(m.user_id)
        .join(lms_groups, g.id == m.group_id)
        .where(m.user_id == c.lms_user_id, g.partner_id == c.partner_id, g.is_active.is_(True))
        .exists()
    )
    query = (
        select(c.partner_id, func.count(func.distinct(c.lms_user_id)))
        .join(lms_users, u.id == c.lms_user_id)
        .where(c.partner_id.is_not(None), c.is_active.is_(True), u.is_active.is_(True), ~in_group)
    )
    return {row[0]: row[1] for row in connection.execute(query.group_by(c.partner_id))}
