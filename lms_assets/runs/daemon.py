"""The daemon and the queue of runs, as Dagster's storage has them; only reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg

_UNDER_WAY = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


@dataclass(frozen=True, slots=True)
class Queue:
    """How many runs are under way and how many wait; `queued_since` is when the oldest of these was made (UTC)."""

    running: int
    queued: int
    queued_since: datetime | None


def daemon_seen(instance: dg.DagsterInstance) -> datetime | None:
    """The latest report of any of the daemon's threads (UTC); None when there never was one."""
    reports = [status.last_heartbeat for status in instance.get_daemon_statuses().values() if status.last_heartbeat]
    return max((datetime.fromtimestamp(each.timestamp, UTC) for each in reports), default=None)


def queue_of(instance: dg.DagsterInstance) -> Queue:
    """The runs under way and those that wait, as Dagster's storage has them."""
    waiting = dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED])
    oldest = instance.get_run_records(waiting, limit=1, ascending=True)
    return Queue(
        running=instance.get_runs_count(dg.RunsFilter(statuses=_UNDER_WAY)),
        queued=instance.get_runs_count(waiting),
        queued_since=oldest[0].create_timestamp if oldest else None,
    )
