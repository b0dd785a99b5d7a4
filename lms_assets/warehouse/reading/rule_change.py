"""The stored rows that show what other rules would do, and the rules of the last counting and of the last push."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, select

from lms_assets.domain.counting.certifications import PartnerCounts
from lms_assets.domain.counting.rule_change import (
    CourseRow,
    PartnerRow,
    StoredPortal,
    as_json,
    changed_rules,
    counts_under,
    from_json,
)
from lms_assets.domain.rules import Rules
from lms_assets.warehouse.reading.enrollments import stored_enrollments
from lms_assets.warehouse.reading.foundation import category_rules, stored_courses
from lms_assets.warehouse.reading.people import contact_emails, contact_facts, group_facts, person_facts, stored_members
from lms_assets.warehouse.schema.tables import partners
from lms_assets.warehouse.sync_state import get_state, put_state

When = Literal["counted", "pushed"]


def stored_portal(connection: Connection) -> StoredPortal:
    """Everything that counting rests on, as it is stored now."""
    c = partners.c
    rows = connection.execute(select(c.id, c.account_name, c.partner_tier, c.is_active))
    return StoredPortal(
        partners={row[0]: PartnerRow(row[1], row[2], bool(row[3])) for row in rows},
        people=person_facts(connection),
        groups=group_facts(connection),
        members=tuple(stored_members(connection)),
        contacts=contact_facts(connection),
        emails=dict(contact_emails(connection)),
        enrollments=tuple(stored_enrollments(connection)),
        courses={
            each.id: CourseRow(each.name or each.id, each.npcu_value, each.decided)
            for each in stored_courses(connection)
        },
        category_rules=category_rules(connection),
    )


def remember_rules(connection: Connection, when: When, rules: Rules, *, now: datetime) -> None:
    """Note the rules under which the counts were counted, or pushed, now."""
    put_state(connection, f"rules_when_last_{when}", as_json(rules), now=now)


def rules_before(connection: Connection, when: When, in_force: Rules) -> Rules:
    """The rules of the last counting or push, where they were noted; else those in force."""
    stored = get_state(connection, f"rules_when_last_{when}")
    return from_json(stored, in_force) if stored else in_force


def counts_before_rules_changed(
    connection: Connection, when: When, in_force: Rules, at: datetime
) -> Mapping[int, PartnerCounts] | None:
    """What the rules of the last counting or push would count now, as of `at` (UTC); None: they are those in force."""
    before = rules_before(connection, when, in_force)
    return counts_under(stored_portal(connection), before, in_force, at) if changed_rules(before, in_force) else None
