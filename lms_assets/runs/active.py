"""Which runs are under way. What starts a run by itself asks here first, so that no job runs twice at once."""

from __future__ import annotations

from collections.abc import Iterable
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
