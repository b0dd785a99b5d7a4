"""Rows that a new warehouse starts with."""

from __future__ import annotations

from sqlalchemy import Connection, func, insert, select

from lms_assets.domain.rules import Rules
from lms_assets.warehouse.schema.tables import certification_category_rules


def seed_category_rules(connection: Connection) -> None:
    """Insert the default category rules (domain rules, NPCU and certifications) into an empty table.

    A portal's own rules stay as they are.
    """
    if connection.execute(select(func.count()).select_from(certification_category_rules)).scalar_one():
        return
    rules = sorted(Rules().category_rules, key=lambda rule: -rule.priority)
    connection.execute(
        insert(certification_category_rules),
        [{"category": rule.category, "pattern": rule.pattern, "priority": rule.priority} for rule in rules],
    )
