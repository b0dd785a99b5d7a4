"""The rows of `enrollment_weeks`: what is stored of each week's learning, and as of when everybody was read for it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, select

from lms_assets.domain.safety.run_instants import not_before
from lms_assets.warehouse.schema.tables import enrollment_weeks
from lms_assets.warehouse.upsert.upsert import upsert


def write_weeks(
    connection: Connection,
    learning: Mapping[date, tuple[int, int]],
    *,
    everybody: tuple[int, datetime] | None,
    now: datetime,
) -> None:
    """Bring these weeks' figures up to date.

    A reading of some people only leaves when everybody was read as it was.

    Args:
        learning: completions and enrollments of each week, by its Monday.
        everybody: how many people were read, and as of when, if nobody was left out.
    """
    rows: list[dict[str, Any]] = [
        {"week_start": week, "completions": completions, "enrollment_rows": enrollments}
        for week, (completions, enrollments) in learning.items()
    ]
    if everybody is not None:
        c = enrollment_weeks.c
        query = select(c.week_start, c.all_read_at).where(c.week_start.between(min(learning), max(learning)))
        before: dict[date, datetime | None] = {row.week_start: row.all_read_at for row in connection.execute(query)}
        people, as_of = everybody
        for row in rows:
            row |= {"people_read": people, "all_read_at": not_before(as_of, before.get(row["week_start"]), now)}
    upsert(connection, enrollment_weeks, rows, key=("week_start",), now=now)
