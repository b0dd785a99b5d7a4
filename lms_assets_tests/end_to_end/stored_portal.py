"""What the rules make of a state of the sources, as rows of the portal's tables: a chain's result without a chain."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Table, delete, insert

from lms_assets.warehouse.schema import tables as t
from lms_assets_tests.end_to_end.by_rules import Portal

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
_FILLED = (
    *(t.lms_enrollments, t.lms_group_members, t.contact_affiliations, t.contacts),
    *(t.lms_users, t.lms_groups, t.lms_courses, t.partners),
)


def store_portal(connection: Connection, portal: Portal) -> None:
    """Replace all rows by the portal's; a row's id is its vendor's id."""
    for table in _FILLED:
        connection.execute(delete(table))
    for table, rows in _rows(portal):
        if rows:
            connection.execute(insert(table), rows)


def _rows(portal: Portal) -> list[tuple[Table, list[dict[str, Any]]]]:
    return [
        (t.partners, [
            {"id": key, "account_name": f"Partner {key}", "impartner_id": key} for key in portal.partners
        ]),
        (t.lms_courses, [
            {"id": key, "name": each.name[:255], "npcu_value": each.npcu, "is_certification": each.npcu > 0,
             "certification_category": each.category}
            for key, each in portal.courses.items()
        ]),
        (t.lms_groups, [
            {"id": key, "name": key, "partner_id": link.partner_id, "link_method": link.method}
            for key, link in portal.links.items()
        ]),
        (t.lms_users, [
            {"id": key, "email": user.email, "is_active": user.is_active, "status": user.status}
            for key, user in portal.users.items()
        ]),
        (t.contacts, [
            {"id": key, "email": contact.email, "partner_id": portal.partner_of[key],
             "lms_user_id": portal.user_of[key], "impartner_id": key}
            for key, contact in portal.contacts.items()
        ]),
        (t.contact_affiliations, [
            {"impartner_id": each.further, "contact_id": each.id, "partner_id": each.partner_id, "since": SINCE}
            for each in portal.further
        ]),
        (t.lms_group_members, [
            {"group_id": group, "user_id": person} for group, person in sorted(set(portal.members))
        ]),
        # A transcript may name people whom no list knows; the table does not take them.
        (t.lms_enrollments, [asdict(each) for each in portal.enrollments if each.user_id in portal.users]),
    ]  # fmt: skip
