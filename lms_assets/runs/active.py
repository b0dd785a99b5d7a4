"""Which runs are under way or wait, and whether a daemon lives and serves this code; only reads.

What starts a run by itself asks here first, so that no job runs twice at once. That a daemon would do the same as this
process is seen at one of its sensors: its ticks show that daemon and code server live, its cursor with which settings.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

import dagster as dg

from lms_assets.settings import Settings

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


SENSOR = "chains_without_process_sensor"
# It ticks every 30 seconds; a busy machine may be late.
TICKS_WITHIN = timedelta(minutes=2)


@dataclass(frozen=True)
class Served:
    """The code location as Dagster's pages know it; `settings` is the daemon's fingerprint, `at` its last tick."""

    origin: Any
    settings: str
    at: datetime

    def lives(self, now: datetime) -> bool:
        """Whether the daemon was there a moment ago."""
        return now - self.at < TICKS_WITHIN


def fingerprint(settings: Settings) -> str:
    """Equal for two processes that would do the same to the same systems; the settings cannot be read from it."""
    return blake2b(repr(sorted(asdict(settings).items())).encode(), digest_size=16).hexdigest()


def served_location(instance: dg.DagsterInstance) -> Served | None:
    """What the sensor left the last time; None when no daemon has ever served this code location."""
    found = []
    for state in instance.all_instigator_state():
        if state.instigator_name != SENSOR or not state.is_running:
            continue
        for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1):
            cursor = getattr(state.instigator_data, "cursor", None)
            at = datetime.fromtimestamp(tick.timestamp, UTC)
            found.append(Served(state.origin.repository_origin, cursor or "", at))
    return max(found, key=lambda each: each.at, default=None)
