"""The jobs' names, what a line of the timetable is, and what follows from it. All UTC.

That is: the assets that are overdue, the weeks that a run may cover, and the tasks of the portal's page (source: portal
schema).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
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


def range_problem(first: str, last: str, weeks: Sequence[str]) -> str | None:
    """Why a run must not cover `first` to `last`, given all weeks up to the running one; None when it may."""
    for week in dict.fromkeys((first, last)):
        if week not in weeks:
            return f"there is no week {week}; weeks begin on Mondays, from {weeks[0]} to {weeks[-1]}"
    if first > last:
        return f"the first week, {first}, is after the last, {last}"
    return None


def weeks_to_read(chosen: Sequence[str], weeks: Sequence[str], *, whole_chain: bool) -> list[str]:
    """The weeks that a run reads, ascending, given those chosen at its launch and all up to the running one.

    The whole chain with the running week among its weeks, or without any, reads all: the UI offers the latest week and
    the last thirteen, and a person who starts the whole chain wants all weeks.
    """
    if whole_chain and (not chosen or max(chosen) == weeks[-1]):
        return list(weeks)
    return sorted(chosen)


def weeks_of_last_days(days: int, today: date, weeks: Sequence[str]) -> tuple[str, str]:
    """The first and the last week that the last `days` days touch; 0 is today only.

    Raises:
        ValueError: the days are negative, or reach back before the first week.
    """
    most = (today - date.fromisoformat(weeks[0])).days
    if not 0 <= days <= most:
        raise ValueError(f"1 to {most} days are possible, as the first week begins on {weeks[0]}")
    first_day = (today - timedelta(days=days)).isoformat()
    return max(week for week in weeks if week <= first_day), weeks[-1]


CHAIN_TASK = "daily_sync_chain"
"""The task that stands for the whole chain."""

TaskStatus = Literal["success", "failed", "running", "skipped"]


@dataclass(frozen=True, slots=True)
class Task:
    """A row of `scheduled_tasks`. `chain_order` counts from 1 in the order of the chain; None outside of it.

    Attributes:
        asset: the step that does it (an asset, or the op of a job without assets); None for the chain as a whole.
        lines: the lines of the timetable that run it.
    """

    task_type: str
    name: str
    asset: str | None
    lines: tuple[ScheduleEntry, ...]
    chain_order: int | None = None

    @property
    def cron(self) -> str | None:
        """When it runs, as one cron expression; the hours of all its lines that have no weekday of their own."""
        daily = sorted({hour for line in self.lines if line.weekday is None for hour in line.hours})
        if daily:
            return f"0 {','.join(map(str, daily))} * * *"
        return self.lines[0].cron if self.lines else None

    def next_run(self, now: datetime, schedules_on: frozenset[str]) -> datetime | None:
        """When it runs next by itself (UTC); None when all its schedules are switched off."""
        return next_of(tuple(line for line in self.lines if line.schedule in schedules_on), now)
