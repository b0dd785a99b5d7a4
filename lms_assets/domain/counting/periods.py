"""The spans of time that reports compare, all ending at the instant of counting. UTC, no clock.

A week is seven days, a month a calendar month, the year begins on 1 January; the same span last year has both ends
one calendar year earlier. Weeks are named by their Monday.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from lms_assets.domain.records.dates import months_after

WEEK = timedelta(days=7)
TREND_WEEKS = 26
QUIET_DAYS = 90


@dataclass(frozen=True, slots=True)
class Period:
    """A named stretch of time; what happened after `start` and up to `end`, the end included, lies in it."""

    name: str
    start: datetime
    end: datetime

    def a_year_earlier(self) -> Period:
        """The same span last year."""
        return Period(self.name, months_after(self.start, -12), months_after(self.end, -12))


def periods(at: datetime) -> tuple[Period, Period, Period]:
    """Week, month and year to date, each ending at `at`."""
    new_year = datetime(at.year, 1, 1, tzinfo=UTC)
    return (
        Period("week", at - WEEK, at),
        Period("month", months_after(at, -1), at),
        Period("year to date", new_year, at),
    )


def monday_of(day: date) -> date:
    """The Monday of the week that holds the day."""
    return day - timedelta(days=day.weekday())


def week_name(day: date) -> str:
    """The ISO week of a day: `2026-W48`."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"


def trend_instants(at: datetime, weeks: int = TREND_WEEKS) -> tuple[datetime, ...]:
    """The same time of day at the end of each of the last `weeks` weeks, oldest first, `at` itself the last."""
    return tuple(at - WEEK * back for back in range(weeks - 1, -1, -1))


def earliest(at: datetime) -> datetime:
    """The earliest instant with which the reports of `at` compare."""
    return min(period.a_year_earlier().start for period in periods(at)) - timedelta(days=1)
