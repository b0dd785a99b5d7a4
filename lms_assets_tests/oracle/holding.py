"""Who holds which certification at an instant, read off "NPCU and certifications" of the domain rules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lms_assets_tests.oracle.records import Row

CATEGORIES = ["nintex_ce", "nintex_k2", "nintex_salesforce", "go_to_market"]

# Highest priority first; the first pattern that the name contains decides.
PATTERNS = [
    ("K2", "nintex_k2"),
    ("Salesforce", "nintex_salesforce"),
    ("Go to Market", "go_to_market"),
    ("GTM", "go_to_market"),
    ("Sales Professional", "go_to_market"),
    ("Sales Enablement", "go_to_market"),
    ("Automation Cloud", "nintex_ce"),
    ("Process Manager", "nintex_ce"),
    ("Promapp", "nintex_ce"),
    ("RPA", "nintex_ce"),
    ("eSign", "nintex_ce"),
    ("Apps", "nintex_ce"),
    ("Office 365", "nintex_ce"),
    ("SharePoint", "nintex_ce"),
    ("Xtensions", "nintex_ce"),
    ("Process Discovery", "nintex_ce"),
]


def npcu_of(value: Any) -> int:
    """0, 1 or 2 as a number, or as text that is exactly that once trimmed; anything else counts as 0.

    Reading: the JSON number 1.0 is the number 1; true and false are no numbers; the texts `01` and `1.0` are not
    exactly such a number.
    """
    if isinstance(value, bool):
        return 0
    if isinstance(value, (int, float)):
        for points in (0, 1, 2):
            if value == points:
                return points
        return 0
    if isinstance(value, str):
        for points in (0, 1, 2):
            if value.strip() == str(points):
                return points
    return 0


def category_of(name: str) -> str | None:
    """The category of a certification by its name, ignoring case; None: it counts in total NPCU only."""
    for pattern, category in PATTERNS:
        if pattern.casefold() in name.casefold():
            return category
    return None


def instant(text: Any) -> datetime | None:
    """`2026-01-31T02:00:00Z` as an instant; None for nothing and for what is no date."""
    if not isinstance(text, str):
        return None
    try:
        read = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def months_later(moment: datetime, months: int) -> datetime:
    """The same day and time so many calendar months later; the month's last day when it is shorter."""
    year = moment.year + (moment.month - 1 + months) // 12
    month = (moment.month - 1 + months) % 12 + 1
    day = moment.day
    while True:
        try:
            return moment.replace(year=year, month=month, day=day)
        except ValueError:
            day -= 1


def why_not_held(transcript: Row, at: datetime, months: int = 24) -> str | None:
    """None when this row makes its person hold its course at the instant, else the reason why it does not.

    Reading: a completed row without a readable completion date is not held: nobody can say since when.
    """
    if transcript["resource_type"] != "course":
        return "not a course"
    if transcript["progress_status"] != "completed":
        return "not completed"
    completed = instant(transcript["completed_at"])
    if completed is None:
        return "no completion date"
    if completed > at:
        return "completed later"
    expires = instant(transcript["expires_at"])
    if expires is None:
        expires = months_later(completed, months)
    if expires <= at:
        return "expired"
    return None


def course_names(state: Mapping[str, Any]) -> dict[str, str]:
    """Every course that either list knows, with its name. Reading: the course list's name before the properties'."""
    names: dict[str, str] = {}
    for row in state["course_properties"]:
        names[row["id"]] = row["properties"].get("name") or ""
    for row in state["courses"]:
        names[row["id"]] = row["name"] or names.get(row["id"], "")
    return names


def points_of_courses(state: Mapping[str, Any]) -> dict[str, int]:
    """NPCU of every course that either list knows."""
    points = {row["id"]: 0 for row in state["courses"]}
    for row in state["course_properties"]:
        points[row["id"]] = npcu_of(row["properties"].get("npcu"))
    return points
