"""A run from a terminal waits for its turn before it is made, and prints for which run; or it refuses at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import dagster as dg

from lms_assets.console.running.runner import CannotRun, job_names, steps_of
from lms_assets.lineage import ASSETS_OF_JOBS
from lms_assets.runs.active import retry_is_coming
from lms_assets.runs.liveness import ACTIVE, fail_dead_runs
from lms_assets.runs.write_locks import LOOK_AGAIN_SECONDS, GroupIsBusy, groups_of, owner_of, writing
from lms_assets.warehouse.engine import Warehouse

Say = Callable[[str], None]


@contextmanager
def our_turn(
    instance: dg.DagsterInstance, warehouse: Warehouse, job: str, run_id: str, *, say: Say | None
) -> Iterator[None]:
    """Hold the locks of what the job writes, for the run that is to be made here.

    `say` prints for which run it waits, once each; None: not to wait.

    Raises:
        CannotRun: another run writes the same rows, and this one is not to wait.
    """
    groups = groups_of(steps_of(job))
    on_wait = None if say is None else _once(say)
    try:
        wait_for_others(instance, job, on_wait)
        with writing(warehouse, groups, owner_of(run_id, job), on_wait=on_wait):
            yield
    except GroupIsBusy as busy:
        raise CannotRun(f"{job} was not started: {busy}. Without --no-wait it waits for that run's end.") from busy


def wait_for_others(instance: dg.DagsterInstance, job: str, on_wait: Say | None) -> None:
    """Let runs of the same rows go first that have begun, or that Dagster is about to begin again by itself.

    Raises:
        GroupIsBusy: there is one, and this run is not to wait.
    """
    groups = set(groups_of(steps_of(job)))
    # A job's steps are asked of its definition, which takes long to make, only where the lineage does not know them.
    jobs = [name for name in job_names() if groups & set(groups_of(ASSETS_OF_JOBS.get(name) or steps_of(name)))]
    while (text := _who_goes_first(instance, jobs)) is not None:
        if on_wait is None:
            raise GroupIsBusy(text)
        on_wait(text)
        time.sleep(LOOK_AGAIN_SECONDS)


def _who_goes_first(instance: dg.DagsterInstance, jobs: list[str]) -> str | None:
    fail_dead_runs(instance)
    for job in jobs:
        for run in instance.get_runs(filters=dg.RunsFilter(job_name=job, statuses=ACTIVE), limit=1):
            return f"{job} is under way (run {run.run_id[:8]})"
        failed = retry_is_coming(instance, job, datetime.now(UTC))
        if failed is not None:
            return f"{job} failed and Dagster is about to run it again by itself (run {failed.run_id[:8]})"
    return None


def _once(say: Say) -> Say:
    said: set[str] = set()

    def wait(text: str) -> None:
        if text not in said:
            said.add(text)
            say(f"Waits: {text}")

    return wait
