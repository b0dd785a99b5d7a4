"""Which runs are under way or wait, and whether the daemon lives, as Dagster's storage has it; only reads.

What starts a run by itself asks here first, so that no job runs twice at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
WILL_RETRY_TAG = "dagster/will_retry"
# The child run of an automatic retry comes within seconds; a daemon that is away must not keep everybody waiting.
RETRY_COMES_WITHIN = timedelta(minutes=10)


def run_under_way(instance: dg.DagsterInstance, jobs: Iterable[str]) -> dg.DagsterRun | None:
    """A run of one of these jobs that has not ended; None when there is none."""
    for job in jobs:
        for run in instance.get_runs(filters=dg.RunsFilter(job_name=job, statuses=UNFINISHED), limit=1):
            return run
    return None


def retry_is_coming(instance: dg.DagsterInstance, job: str, now: datetime) -> dg.DagsterRun | None:
    """The last run of the job, where it failed and Dagster is about to run it again by itself; else None."""
    for record in instance.get_run_records(dg.RunsFilter(job_name=job), limit=1):
        ended = datetime.fromtimestamp(record.end_time or record.update_timestamp.timestamp(), UTC)
        run = record.dagster_run
        failed = run.status == dg.DagsterRunStatus.FAILURE
        will = run.tags.get(WILL_RETRY_TAG) == "true"
        return run if failed and will and now - ended < RETRY_COMES_WITHIN else None
    return None


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
