"""Rows that a new warehouse starts with."""

from __future__ import annotations

from sqlalchemy import Connection, func, insert, select

from lms_assets.warehouse.tables import certification_category_rules

__all__ = ["CATEGORY_RULES", "seed_category_rules"]

CATEGORY_RULES: tuple[tuple[int, str, tuple[str, ...]], ...] = (
    (100, "nintex_k2", ("K2",)),
    (90, "nintex_salesforce", ("Salesforce",)),
    (80, "go_to_market", ("Go to Market", "GTM", "Sales Professional", "Sales Enablement")),
    (
        50,
        "nintex_ce",
        (
            "Automation Cloud",
            "Process Manager",
            "Promapp",
            "RPA",
            "eSign",
            "Apps",
            "Office 365",
            "SharePoint",
            "Xtensions",
            "Process Discovery",
        ),
    ),
)
"""Priority, category, patterns (domain rules, NPCU and certifications: default patterns by priority)."""


def seed_category_rules(connection: Connection) -> None:
    """Insert the default category rules into an empty table; a portal's own rules stay as they are."""
    if connection.execute(select(func.count()).select_from(certification_category_rules)).scalar_one():
        return
    connection.execute(
        insert(certification_category_rules),
        [
            {"category": category, "pattern": pattern, "priority": priority}
            for priority, category, patterns in CATEGORY_RULES
            for pattern in patterns
        ],
    )
