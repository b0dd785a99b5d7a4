"""The jobs' names, what a line of the timetable is, and which assets are overdue by their cadence. All UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

CHAIN = "daily_full"
"""The job that runs the whole chain; also the chain's name in `task_chain_logs` and on the portal's task page."""
ENROLLMENTS_JOB = "enrollments_incremental"
PUSH_JOB = "push_to_impartner"
LEADS_JOB, LEADS_FULL_JOB = "leads_incremental", "leads_full"
REPORTS_JOB = "weekly_reports"
CLEANUP_JOB = "cleanup"
PLAN_JOB, APPLY_JOB = "offboarding_plan", "offboarding_apply"

Weeks = Literal["all", "trailing", None]
TRAILING_DAYS = 7
SUNDAY, MONDAY = 0, 1
_CRON_DAYS = 7


@dataclass(frozen=True, slots=True)
class ScheduleEntry:
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


def next_of(lines: tuple[ScheduleEntry, ...], instant: datetime) -> datetime | None:
    """The first tick of any of these lines after an instant (UTC); None without lines."""
    return min((line.next_after(instant) for line in lines), default=None)


@dataclass(frozen=True, slots=True)
class Cadence:
    """How often an asset must come through: within `grace` of each tick of `line`, or at least once a `window`."""

    job: str
    line: ScheduleEntry | None = None
    grace: timedelta = timedelta(0)
    window: timedelta | None = None

    def overdue_since(self, completed_at: datetime, now: datetime) -> datetime | None:
        """Since when an asset last synced at `completed_at` is overdue; None while it is not. All UTC."""
        if self.window is not None:
            limit = completed_at + self.window
            return limit if now > limit else None
        if self.line is None:
            return None
        tick = self.line.last_until(now - self.grace)
        return tick + self.grace if completed_at < tick else None


@dataclass(frozen=True, slots=True)
class Overdue:
    """Assets of one job that are overdue, the first of them since `since` (UTC)."""

    job: str
    assets: tuple[str, ...]
    since: datetime


def find_overdue(
    completed: Mapping[str, datetime], cadences: Mapping[str, Cadence], now: datetime
) -> tuple[Overdue, ...]:
    """Overdue assets, together by the job that should have brought them.

    Args:
        cadences: asset to how often it must come through. All instants are UTC.
        completed: when each asset last came through; one that never did is not there, and not overdue: its first run
            reports its own result.
    """
    late: dict[str, list[tuple[datetime, str]]] = {}
    for asset, cadence in cadences.items():
        since = cadence.overdue_since(completed[asset], now) if asset in completed else None
        if since is not None:
            late.setdefault(cadence.job, []).append((since, asset))
    return tuple(Overdue(job, tuple(asset for _, asset in found), min(found)[0]) for job, found in late.items())
