"""When each job runs, in UTC: one table for the schedules, the portal's task page and overdue alerts.

Source: domain rules, the schedule table. Pure: the time comes in as an argument.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Weeks = Literal["all", "trailing", None]
TRAILING_DAYS = 7
SUNDAY, MONDAY = 0, 1
_CRON_DAYS = 7


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the schedule table.

    Attributes:
        schedule: the schedule's name.
        hours: full hours of the day, UTC, ascending.
        weekday: as cron counts, 0 is Sunday; None for every day.
        weeks: which weekly partitions a run covers.
        left_out_during: jobs that do this one's work too; while one of them is under way, the tick is left out.
    """

    schedule: str
    job: str
    hours: tuple[int, ...]
    what: str
    weekday: int | None = None
    weeks: Weeks = None
    left_out_during: tuple[str, ...] = ()

    @property
    def cron(self) -> str:
        """The line as a cron expression."""
        hours = ",".join(map(str, self.hours))
        return f"0 {hours} * * {'*' if self.weekday is None else self.weekday}"

    def next_after(self, instant: datetime) -> datetime:
        """The first tick after an instant (UTC)."""
        return min(tick for tick in self._ticks_around(instant) if tick > instant)

    def last_until(self, instant: datetime) -> datetime:
        """The last tick at or before an instant (UTC)."""
        return max(tick for tick in self._ticks_around(instant) if tick <= instant)

    def _ticks_around(self, instant: datetime) -> list[datetime]:
        midnight = instant.replace(hour=0, minute=0, second=0, microsecond=0)
        days = [midnight + timedelta(days=offset) for offset in range(-_CRON_DAYS, _CRON_DAYS + 1)]
        return [
            day.replace(hour=hour)
            for day in days
            if self.weekday is None or day.isoweekday() % _CRON_DAYS == self.weekday
            for hour in self.hours
        ]


DAILY_FULL = Line("daily_full_at_2", "daily_full", (2,), "The whole chain, over all weeks.", weeks="all")
ENROLLMENTS = Line(
    "enrollments_every_4_hours",
    "enrollments_incremental",
    (6, 10, 14, 18, 22),
    "Learning records of the trailing seven days.",
    weeks="trailing",
    left_out_during=("daily_full",),
)
LEADS = Line("leads_thrice_daily", "leads_incremental", (8, 14, 20), "Leads that changed.", None, None, ("leads_full",))
LEADS_FULL = Line("leads_on_sundays", "leads_full", (3,), "All leads; removes those gone or converted.", SUNDAY)
CLEANUP = Line("cleanup_on_sundays", "cleanup", (4,), "Removes logs that are older than 30 days.", SUNDAY)
REPORTS = Line("reports_on_mondays", "weekly_reports", (8,), "The reports to PAMs and executives.", MONDAY)

TIMETABLE = (DAILY_FULL, ENROLLMENTS, LEADS, LEADS_FULL, CLEANUP, REPORTS)


def next_of(lines: tuple[Line, ...], instant: datetime) -> datetime | None:
    """The first tick of any of these lines after an instant (UTC); None without lines."""
    return min((line.next_after(instant) for line in lines), default=None)
