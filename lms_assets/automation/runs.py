"""Which runs are under way. What starts a run by itself asks here first, so that no job runs twice at once."""

from __future__ import annotations

from collections.abc import Iterable

import dagster as dg

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def run_under_way(instance: dg.DagsterInstance, jobs: Iterable[str]) -> dg.DagsterRun | None:
    """A run of one of these jobs that has not ended; None when there is none."""
    for job in jobs:
        for run in instance.get_runs(filters=dg.RunsFilter(job_name=job, statuses=UNFINISHED), limit=1):
            return run
    return None
