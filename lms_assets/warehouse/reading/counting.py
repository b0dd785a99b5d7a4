"""Tier 4: what counting and pushing need to know of partners."""

from __future__ import annotations

from sqlalchemy import Connection, select

from lms_assets.domain.certifications import PartnerCounts
from lms_assets.warehouse.counts import CATEGORY_COLUMNS, stored_counts
from lms_assets.warehouse.tables import partners


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
