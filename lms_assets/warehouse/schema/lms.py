"""Tables whose rows come from the LMS: people, groups, memberships, courses, enrollments.

Columns marked "ours" are not in the portal's own schema; all others are, with the same meaning.
"""

from __future__ import annotations

from sqlalchemy import Column, Date, ForeignKey, Index, Integer, Numeric, String, Table

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

lms_users = Table(
    "lms_users",
    metadata,
    lms_id("id", primary_key=True),
    # Never unique: two accounts with one address, or with none, are both kept (domain rules, which records count).
    email_address("email", index=True),
    Column("first_name", String(255)),
    Column("last_name", String(255)),
    instant("created_at_lms"),
    instant("last_active_at"),
    instant("deactivated_at"),
    Column("status", String(20), nullable=False, server_default="active"),
    flag("is_active", default=True, index=True),
    Column("deactivation_reason", String(255)),
    Column("contact_id", ForeignKey("contacts.id", ondelete="SET NULL"), index=True),
    instant("synced_at"),
    instant("enrollment_synced_at"),
    instant("updated_at_lms"),  # ours: updated_at of the source, for incremental listings
    instant("listed_at"),  # ours: when a listing last showed this person
    # ours: when the reading of the last complete transcript began; empty: never, or not since the person came back
    instant("transcript_read_at"),
    instant("transcript_stored_at"),  # ours: when the stored transcript was read, completely or in part
    instant("transcript_due_since"),  # ours: since when it has to be read again, as the last reading did not complete
    **MYSQL_OPTIONS,
)

lms_groups = Table(
    "lms_groups",
    metadata,
    lms_id("id", primary_key=True),
    Column("name", String(255), nullable=False),
    Column("description", long_text()),
    Column("user_count", Integer),
    Column("partner_id", ForeignKey("partners.id", ondelete="SET NULL"), index=True),
    flag("is_active", default=True, index=True),
    instant("deleted_at"),
    Column("deletion_reason", String(255)),
    instant("last_api_check"),
    instant("last_checked_at"),
    instant("synced_at"),
    Column("link_method", String(20)),  # ours: how partner_id was found (override, exact, fuzzy, ...)
    Column("link_score", Numeric(5, 2)),  # ours: 0-100
    instant("members_synced_at"),  # ours: when the memberships were last read completely
    instant("linked_at"),  # ours: when partner_id last changed, or the group came back
    **MYSQL_OPTIONS,
)

# Without foreign keys: the LMS lists members who are gone, and a check reports them.
lms_group_members = Table(
    "lms_group_members",
    metadata,
    lms_id("group_id", primary_key=True),
    lms_id("user_id", primary_key=True, index=True),
    instant("added_at"),
    Column("pending_source", String(10), server_default="api"),
    **MYSQL_OPTIONS,
)

lms_courses = Table(
    "lms_courses",
    metadata,
    lms_id("id", primary_key=True),
    Column("name", String(255)),
    Column("description", long_text()),
    Column("product_category", String(100)),
    number("npcu_value"),
    Column("duration_minutes", Integer),
    flag("is_certification", default=False),
    Column("certification_category", String(50)),
    Column("status", String(50)),
    instant("synced_at"),
    Column("npcu_problem", String(255)),  # ours: why the source's NPCU counts as 0
    Column("category_origin", String(20)),  # ours: rule or hand; empty: not decided
    Column("category_by_rule", String(50)),  # ours: what the rules gave last
    **MYSQL_OPTIONS,
)

course_properties = Table(
    "course_properties",
    metadata,
    lms_id("course_id", primary_key=True),
    Column("npcu_value", Integer),
    json_value("property_data"),
    instant("fetched_at"),
    **MYSQL_OPTIONS,
)

certification_category_rules = Table(
    "certification_category_rules",
    metadata,
    auto_id(),
    Column("category", String(50), nullable=False),
    Column("pattern", String(255), nullable=False),
    number("priority"),
    **MYSQL_OPTIONS,
)

lms_enrollments = Table(
    "lms_enrollments",
    metadata,
    lms_id("id", primary_key=True),
    lms_id("user_id", ForeignKey("lms_users.id"), nullable=False, index=True),
    lms_id("course_id", ForeignKey("lms_courses.id"), nullable=False, index=True),
    Column("status", String(20), nullable=False),
    Column("progress_percent", Integer),
    instant("enrolled_at"),
    instant("started_at"),
    instant("completed_at", index=True),
    instant("expires_at"),
    Column("score", Numeric(5, 2)),
    instant("synced_at"),
    **MYSQL_OPTIONS,
)

# Ours: one row a week partition, since a range run's metadata cannot hold per-week figures.
enrollment_weeks = Table(
    "enrollment_weeks",
    metadata,
    Column("week_start", Date, primary_key=True),
    number("people_read"),  # of the last reading of everybody
    number("completions"),
    number("enrollment_rows"),
    instant("all_read_at"),  # as of when everybody's transcripts were last read for this week, none left out
    instant("synced_at", nullable=False),
    **MYSQL_OPTIONS,
)

# Ours: transcripts that an interrupted chain has already read, so that resuming reads only the rest.
transcript_staging = Table(
    "transcript_staging",
    metadata,
    Column("chain_key", exact_text(100), primary_key=True),
    lms_id("person_id", primary_key=True),
    Column("outcome", String(20), nullable=False),
    json_value("payload"),
    instant("read_at", nullable=False),
    Index("ix_transcript_staging_read_at", "read_at"),
    **MYSQL_OPTIONS,
)

# Ours: links set by hand. partner_id NULL says that the group is no partner's.
group_partner_overrides = Table(
    "group_partner_overrides",
    metadata,
    lms_id("group_id", primary_key=True),
    Column("partner_id", Integer),  # no foreign key: one that points to nothing shows in a check
    Column("note", String(500)),
    instant("created_at"),
    **MYSQL_OPTIONS,
)
