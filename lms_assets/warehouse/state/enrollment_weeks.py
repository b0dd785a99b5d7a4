"""The rows of `enrollment_weeks`: what is stored of each week's learning, and as of when everybody was read for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, select

from lms_assets.domain.safety.run_instants import not_before
from lms_assets.warehouse.reading.enrollments import learning_of_weeks
from lms_assets.warehouse.schema.tables import enrollment_weeks
from lms_assets.warehouse.upsert.upsert import upsert


def write_weeks(
    connection: Connection, weeks: Sequence[date], *, everybody: tuple[int, datetime] | None, now: datetime
) -> dict[date, tuple[int, int]]:
    """Bring these weeks' figures up to date, and give them: completions and enrollments of each week.

    A reading of some people only leaves when everybody was read as it was.

    Args:
        weeks: their Mondays, ascending.
        everybody: how many people were read, and as of when, if nobody was left out.
    """
    learning = learning_of_weeks(connection, weeks[0], weeks[-1])
    rows: list[dict[str, Any]] = [
        {"week_start": week, "completions": learning[week][0], "enrollment_rows": learning[week][1]} for week in weeks
    ]
    if everybody is not None:
        c = enrollment_weeks.c
        query = select(c.week_start, c.all_read_at).where(c.week_start >= weeks[0], c.week_start <= weeks[-1])
        before: dict[date, datetime | None] = {row.week_start: row.all_read_at for row in connection.execute(query)}
        people, as_of = everybody
        for row in rows:
            row |= {"people_read": people, "all_read_at": not_before(as_of, before.get(row["week_start"]), now)}
    upsert(connection, enrollment_weeks, rows, key=("week_start",), now=now)
    return learning
