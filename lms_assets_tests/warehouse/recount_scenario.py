"""A small portal in which every rule of counting decides something: turn one and some partner's counts change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert

from lms_assets.warehouse.schema import tables as t

AT = datetime(2026, 2, 28, 12, 0, tzinfo=UTC)
SECOND, YEAR = timedelta(seconds=1), timedelta(days=365)
LONG_AGO = datetime(2021, 5, 5, tzinfo=UTC)

# Partner 1: groups; 2: contacts; 3: gone; 4: nothing; 5: what lapses; 6: one who is at partner 1 too.
PARTNERS = {1: True, 2: True, 3: False, 4: True, 5: True, 6: True}
COURSES = [
    ("k2", 2, "nintex_k2"), ("gtm", 1, "go_to_market"), ("ce", 1, "nintex_ce"), ("sf", 2, "nintex_salesforce"),
    ("odd", 1, None), ("talk", 0, "nintex_k2"),
    ("other", 1, "Nintex_K2"),
]  # fmt: skip
GROUPS = [("g1", 1, True), ("g1b", 1, True), ("old", 1, False), ("g3", 3, True), ("g5", 5, True), ("g6", 6, True),
          ("nobody", None, True), ("g4", 4, False)]  # fmt: skip
PEOPLE = [
    *((name, True, "active") for name in ("ann", "bo", "cy", "dee", "eve", "fay", "lapse", "Ann", "hal")),
    ("gone", False, "deleted"), ("off", False, "deactivated"), ("odd1", True, "deleted"), ("odd2", False, "active"),
    ("odd3", True, "deactivated"), ("odd4", True, "Active"),
]  # fmt: skip
MEMBERS = [
    ("g1", "ann"), ("g1b", "ann"), ("g6", "ann"), ("g1", "bo"), ("old", "cy"), ("old", "hal"), ("g3", "dee"),
    ("nobody", "eve"), ("g1", "gone"), ("g1", "off"), ("g1", "odd1"), ("g1", "odd2"), ("g1", "odd3"), ("g5", "lapse"),
    ("g1", "odd4"),
    ("g1", "stranger"), ("g4", "dee"), ("no such group", "dee"),
]  # fmt: skip
# Each with its id, partner, person, and whether it is active.
CONTACTS = [(1, 1, "ann", True), (2, 2, "eve", True), (3, 2, "fay", False), (4, None, "cy", True), (5, 2, None, True),
            (6, 3, "dee", True), (7, 2, "Ann", True), (8, 1, "hal", True)]  # fmt: skip
# Each with its CRM id, contact and partner: a contact that is off holds the address of one at partner 6.
FURTHER = [(91, 3, 6), (92, 5, 6), (93, 2, 3)]
# Each with its person, course, status, completion and expiry.
ATTEMPTS: list[tuple[str, str, str, datetime | None, datetime | None]] = [
    *((who, "k2", "completed", AT - YEAR, None) for who, _, _ in PEOPLE if who not in ("lapse", "bo")),
    ("ann", "k2", "completed", AT - YEAR, AT + YEAR), ("ann", "k2", "completed", AT - YEAR, AT + YEAR),
    ("ann", "gtm", "completed", AT, None), ("ann", "sf", "completed", AT + SECOND, None),
    ("ann", "talk", "completed", AT - YEAR, None), ("ann", "odd", "completed", AT - YEAR, None),
    ("bo", "ce", "in_progress", AT - YEAR, None), ("bo", "sf", "completed", None, AT + YEAR),
    ("bo", "gtm", "completed", AT - YEAR, AT - YEAR), ("bo", "odd", "completed", AT + YEAR, AT),
    ("eve", "ce", "in_progress", None, None), ("eve", "ce", "completed", LONG_AGO, AT + YEAR),
    ("fay", "gtm", "completed", AT - YEAR, AT + SECOND),
    ("lapse", "k2", "completed", AT - YEAR, AT), ("lapse", "gtm", "completed", LONG_AGO, None),
    ("lapse", "ce", "completed", AT.replace(year=2024), None), ("lapse", "sf", "completed", LONG_AGO, AT + SECOND),
    ("ann", "other", "completed", AT - YEAR, None), ("hal", "ce", "Completed", AT - YEAR, None),
    ("lapse", "odd", "completed", AT.replace(year=2024) + SECOND, None),
]  # fmt: skip


def store_scenario(connection: Connection) -> None:
    """Fill an empty warehouse."""
    rows: list[tuple[Any, list[dict[str, Any]]]] = [
        (t.partners, [{"id": key, "account_name": f"Partner {key}", "impartner_id": 100 + key, "is_active": active}
                      for key, active in PARTNERS.items()]),
        (t.lms_courses, [{"id": key, "name": key, "npcu_value": npcu, "certification_category": category}
                         for key, npcu, category in COURSES]),
        (t.lms_groups, [{"id": key, "name": key, "partner_id": partner, "is_active": active}
                        for key, partner, active in GROUPS]),
        (t.lms_users, [{"id": key, "is_active": active, "status": status} for key, active, status in PEOPLE]),
        (t.contacts, [{"id": key, "email": f"{key}@example.com", "partner_id": partner, "lms_user_id": person,
                       "is_active": active} for key, partner, person, active in CONTACTS]),
        (t.contact_affiliations, [{"impartner_id": key, "contact_id": contact, "partner_id": partner, "since": LONG_AGO}
                                  for key, contact, partner in FURTHER]),
        (t.lms_group_members, [{"group_id": group, "user_id": person} for group, person in MEMBERS]),
        (t.lms_enrollments, [{"id": f"e{number}", "user_id": user, "course_id": course, "status": status,
                              "completed_at": completed, "expires_at": expires}
                             for number, (user, course, status, completed, expires) in enumerate(ATTEMPTS)]),
    ]  # fmt: skip
    for table, values in rows:
        connection.execute(insert(table), values)
