"""The portal's task page: which tasks there are, in which order, when each runs next. Source: portal schema."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from lms_assets.domain.schedule import ScheduleEntry, next_of

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
