"""The category of every certification, worked out from its stored name each time that names or points were written."""

from __future__ import annotations

from datetime import datetime

from lms_assets.domain.records.courses import categorise
from lms_assets.domain.rules import Rules
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.reading.foundation import category_rules, stored_courses
from lms_assets.warehouse.schema.tables import lms_courses
from lms_assets.warehouse.upsert.upsert import update_existing


def write_categories(connection: Connection, rules: Rules, now: datetime) -> int:
    """Write the categories; a course without points keeps what it has, which counts nowhere.

    Returns:
        How many certifications have no category.
    """
    patterns = category_rules(connection) or rules.category_rules
    certifications = [each for each in stored_courses(connection) if each.is_certification]
    found = [(each.id, categorise(each.name, patterns, each.decided)) for each in certifications]
    rows = [
        {
            "id": course_id,
            "certification_category": category.name,
            "category_origin": category.origin,
            "category_by_rule": category.by_rule,
        }
        for course_id, category in found
    ]
    update_existing(connection, lms_courses, rows, key=("id",), now=now)
    return sum(category.name is None for _, category in found)
