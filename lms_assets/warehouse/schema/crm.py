"""Tables whose rows come from the CRM: partners, contacts, leads; and what is pushed back to it.

Columns marked "ours" are not in the portal's own schema; all others are, with the same meaning.
"""

from __future__ import annotations

from sqlalchemy import Column, Date, ForeignKey, Index, Integer, String, Table, Text

from lms_assets.warehouse.schema.base import (
    MYSQL_OPTIONS,
    auto_id,
    email_address,
    exact_text,
    flag,
    instant,
    json_value,
    lms_id,
    long_text,
    metadata,
    number,
)

partners = Table(
    "partners",
    metadata,
    auto_id(),
    Column("account_name", String(255), nullable=False, unique=True),
    Column("partner_tier", String(50)),
    Column("account_status", String(50), server_default="Active"),
    Column("account_region", String(100)),
    Column("country", String(100)),
    Column("account_owner", String(255), index=True),
    email_address("owner_email"),
    Column("primary_user_name", String(255)),
    email_address("primary_user_email"),
    Column("primary_user_id", Integer),
    Column("partner_type", String(100)),
    Column("website", String(500)),
    Column("salesforce_id", exact_text(50), index=True),
    Column("parent_partner_id", Integer),
    # Not unique: an adopted portal may hold an account twice, and a check reports that.
    Column("impartner_id", Integer, index=True),
    Column("impartner_parent_id", Integer),
    flag("is_active", default=True, index=True),
    instant("deleted_at"),
    number("cert_count_nintex_ce"),
    number("cert_count_nintex_k2"),
    number("cert_count_nintex_salesforce"),
    number("cert_count_go_to_market"),
    flag("has_gtm_certification", default=False),
    number("total_npcu"),
    instant("cert_counts_updated_at"),
    number("lead_count"),
    number("leads_last_30_days"),
    instant("leads_updated_at"),
    instant("created_at"),
    instant("updated_at"),
    instant("identity_changed_at"),  # ours: when the partner appeared, came back or was renamed
    **MYSQL_OPTIONS,
)

contacts = Table(
    "contacts",
    metadata,
    auto_id(),
    Column("partner_id", ForeignKey("partners.id", ondelete="SET NULL"), index=True),
    email_address("email", nullable=False, unique=True),
    Column("first_name", String(255)),
    Column("last_name", String(255)),
    Column("title", String(255)),
    Column("phone", String(100)),
    flag("is_primary", default=False),
    lms_id("lms_user_id", index=True),
    Column("impartner_id", Integer, index=True),
    flag("is_active", default=True, index=True),
    instant("deleted_at"),
    instant("crm_last_modified"),
    instant("created_at"),
    instant("updated_at"),
    instant("identity_changed_at"),  # ours: when address or partner changed, or the contact came back
    instant("linked_at"),  # ours: when lms_user_id last changed
    **MYSQL_OPTIONS,
)

# Ours: contacts of the CRM whose address a row of `contacts` holds already, at another partner: that row's person
# counts for this partner too. `contacts.email` is unique, so they have no row of their own there.
contact_affiliations = Table(
    "contact_affiliations",
    metadata,
    Column("impartner_id", Integer, primary_key=True, autoincrement=False),
    Column("contact_id", Integer, nullable=False, index=True),
    Column("partner_id", Integer, nullable=False, index=True),
    instant("since", nullable=False),
    **MYSQL_OPTIONS,
)

leads = Table(
    "leads",
    metadata,
    auto_id(),
    Column("impartner_id", Integer, nullable=False, unique=True),
    Column("partner_id", ForeignKey("partners.id", ondelete="SET NULL"), index=True),
    Column("impartner_partner_id", Integer, index=True),
    Column("first_name", String(255)),
    Column("last_name", String(255)),
    email_address("email"),
    Column("phone", String(100)),
    Column("title", String(255)),
    Column("company_name", String(255)),
    Column("status_id", Integer),
    Column("status_name", String(100)),
    Column("source", String(255)),
    Column("description", long_text()),
    Column("crm_id", exact_text(50)),
    instant("lead_created_at", index=True),
    instant("lead_updated_at"),
    instant("synced_at"),
    **MYSQL_OPTIONS,
)

# Ours: one row a partner and day, for trends in the reports.
partner_cert_history = Table(
    "partner_cert_history",
    metadata,
    Column("partner_id", Integer, primary_key=True, autoincrement=False),
    Column("day", Date, primary_key=True),
    number("cert_count_nintex_ce"),
    number("cert_count_nintex_k2"),
    number("cert_count_nintex_salesforce"),
    number("cert_count_go_to_market"),
    flag("has_gtm_certification", default=False),
    number("total_npcu"),
    Column("partner_users", Integer),
    Column("partner_tier", String(50)),
    # 'chain' = as counted that day; 'backfill' = worked out later by an earlier version.
    Column("origin", String(20), nullable=False, server_default="chain"),
    instant("as_of", nullable=False),
    Index("ix_partner_cert_history_day", "day"),
    **MYSQL_OPTIONS,
)

# Ours: what every count is made of, now and at each counting of the past. Rows are opened and closed, never edited.
partner_certifications = Table(
    "partner_certifications",
    metadata,
    auto_id(),
    Column("partner_id", Integer, nullable=False),
    lms_id("user_id", nullable=False),
    lms_id("course_id", nullable=False),
    lms_id("enrollment_id", nullable=False),
    Column("category", exact_text(50)),
    Column("npcu", Integer, nullable=False),
    instant("completed_at"),
    instant("expires_at"),
    Column("belongs_by", String(10), nullable=False),
    Column("group_ids", Text, nullable=False),
    Column("contact_ids", Text, nullable=False),
    Column("verdict", String(30), nullable=False),
    Column("reason", Text, nullable=False),
    flag("counted", default=False),
    Column("fingerprint", exact_text(32), nullable=False),
    instant("valid_from", nullable=False),
    instant("valid_to"),
    Index("ix_partner_certifications_partner_id", "partner_id", "valid_to"),
    Index("ix_partner_certifications_valid_to", "valid_to", "fingerprint"),
    **MYSQL_OPTIONS,
)

# Ours: what the CRM last confirmed for each account. Losing it costs a repeated push, never a wrong one.
pushed_partner_counts = Table(
    "pushed_partner_counts",
    metadata,
    Column("impartner_id", Integer, primary_key=True, autoincrement=False),
    json_value("fields"),
    instant("confirmed_at"),
    instant("last_attempt_at"),
    Column("last_error", String(1000)),
    number("failed_attempts"),
    **MYSQL_OPTIONS,
)

# Ours: the same fields as the CRM showed them when accounts were last listed; `differs_since` by field, ISO 8601.
crm_shown_counts = Table(
    "crm_shown_counts",
    metadata,
    Column("impartner_id", Integer, primary_key=True, autoincrement=False),
    json_value("fields"),
    instant("shown_at", nullable=False),
    json_value("differs_since"),
    **MYSQL_OPTIONS,
)
