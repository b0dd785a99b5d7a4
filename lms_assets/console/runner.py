"""Runs one job in the foreground, in a Dagster instance, with everything that a scheduled run has: pools, gates, log.

The caller watches it through the instance's event log; nothing is printed here.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import dagster as dg

from lms_assets.automation.chain_events import chain_events
from lms_assets.automation.jobs import JOBS
from lms_assets.automation.run_locks import fail_dead_runs
from lms_assets.automation.run_retries import NEVER_RETRIED
from lms_assets.definitions import defs
from lms_assets.domain.chain import ChainState, fold
from lms_assets.lineage import IMPARTNER_POOL, NORTHPASS_POOL, SYNC_TYPES

CLI_RUN_TAG = "lms/cli_run"


POOL_LIMIT = 1
# The terminal shows progress; Dagster's own lines are in the run's log, where the UI shows them.
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


class CannotRun(Exception):
    """The job cannot be started now; the message says why and what to do."""


@dataclass(frozen=True)
class RunOrder:
    """What to run. `tags` go onto the run; `parent_run_id` with `steps` continues an earlier one."""

    job: str
    tags: Mapping[str, str] = field(default_factory=dict)
    parent_run_id: str | None = None
    steps: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunResult:
    """How the run ended, as Dagster sees it, and what its events say of each step."""

    run_id: str
    success: bool
    state: ChainState


def load_job(name: str) -> dg.JobDefinition:
    """The job of that name; called again in every process that works on it."""
    return defs.resolve_job_def(name)


def job_names() -> list[str]:
    """Every job that can be run."""
    return [job.name for job in JOBS]


def steps_of(job: str) -> list[str]:
    """The job's assets, in the order of the lineage."""
    nodes = {node.name for node in load_job(job).nodes}
    return [key for key in (*SYNC_TYPES, "remove_what_is_old", "apply_offboarding_plan") if key in nodes]


def set_pool_limits(instance: dg.DagsterInstance) -> None:
    """One step at a time for each vendor; set by name, as a default limit has a gap at a pool's first use."""
    if instance.event_log_storage.supports_global_concurrency_limits:
        for pool in (NORTHPASS_POOL, IMPARTNER_POOL):
            instance.event_log_storage.set_concurrency_slots(pool, POOL_LIMIT)


def refuse_if_running(instance: dg.DagsterInstance, job: str) -> None:
    """Clear away runs whose process is gone, then refuse when the same job still runs.

    Raises:
        CannotRun: a run of this job is under way.
    """
    fail_dead_runs(instance)
    for run in instance.get_runs(filters=dg.RunsFilter(job_name=job, statuses=UNFINISHED), limit=1):
        raise CannotRun(
            f"{job} is already running (run {run.run_id[:8]}). Wait for its end, or stop it in Dagster's UI under Runs."
        )


def execute(
    instance: dg.DagsterInstance,
    order: RunOrder,
    on_progress: Callable[[list[dg.EventLogEntry]], None],
) -> RunResult:
    """Run to the end. `on_progress` is handed new events about twice a second, from a thread of its own."""
    set_pool_limits(instance)
    marker = uuid.uuid4().hex
    tags = {**order.tags, CLI_RUN_TAG: marker, **NEVER_RETRIED}
    job = dg.build_reconstructable_job(__name__, load_job.__name__, (order.job,))
    options = None
    if order.parent_run_id:
        options = dg.ReexecutionOptions(parent_run_id=order.parent_run_id, step_selection=list(order.steps))
    with (
        _watching(instance, marker, on_progress),
        dg.execute_job(job, instance, run_config=QUIET, tags=tags, reexecution_options=options) as result,
    ):
        run_id, success = result.run_id, result.success
    return RunResult(run_id, success, fold(chain_events(instance.all_logs(run_id))))


@contextmanager
def _watching(
    instance: dg.DagsterInstance, marker: str, on_progress: Callable[[list[dg.EventLogEntry]], None]
) -> Iterator[None]:
    ended = threading.Event()
    thread = threading.Thread(target=_watch, args=(instance, marker, on_progress, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=10)


def _watch(
    instance: dg.DagsterInstance,
    marker: str,
    on_progress: Callable[[list[dg.EventLogEntry]], None],
    ended: threading.Event,
) -> None:
    run_id: str | None = None
    cursor: str | None = None
    while True:
        last_look = ended.wait(0.5)
        if run_id is None:
            runs = instance.get_runs(filters=dg.RunsFilter(tags={CLI_RUN_TAG: marker}), limit=1)
            run_id = runs[0].run_id if runs else None
        if run_id is not None:
            page = instance.get_records_for_run(run_id, cursor=cursor)
            cursor = page.cursor
            on_progress([record.event_log_entry for record in page.records])
        if last_look:
            return
