"""Runs one job in the foreground, in a Dagster instance, with what a scheduled run has: pools, blocking checks, log.

The caller watches it through the instance's event log; nothing is printed here. Dagster's public `execute_job` makes a
run of no code location, which no page of a job shows, and continues a run only with the steps of the run just before
it. The functions behind it are not public and used here only.
"""

from __future__ import annotations

import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import dagster as dg

from lms_assets.assets.tier_3_enrollments import read_ahead
from lms_assets.automation.chain_log import ROOT_RUN_TAG
from lms_assets.automation.event_mapping import chain_events
from lms_assets.automation.jobs import JOBS
from lms_assets.definitions import defs
from lms_assets.domain.operations.chain_state import ChainState, fold
from lms_assets.domain.schedule import CHAIN
from lms_assets.lineage import GROUP_OF_STEP
from lms_assets.runs.active import FINISHED, Served, served_location
from lms_assets.runs.dagster_internals import (
    REPOSITORY,
    LoadableTargetOrigin,
    ManagedGrpcPythonEnvCodeLocationOrigin,
    QueuedRunCoordinator,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
    create_execution_plan,
    execute_run,
)
from lms_assets.runs.execution import ensure_pool_limits, events_kept_open
from lms_assets.runs.liveness import fail_dead_runs
from lms_assets.runs.tags import NEVER_RETRIED
from lms_assets.runs.write_locks import LOOK_AGAIN_SECONDS
from lms_assets.step_server import start_step_server

# As workspace.yaml names them.
MODULE, LOCATION = "lms_assets.definitions", "lms_assets"
PARENT_RUN_TAG = "dagster/parent_run_id"


def new_run_id() -> str:
    """The id of a run to be made."""
    return str(uuid.uuid4())


def _default_origin() -> RemoteRepositoryOrigin:
    target = LoadableTargetOrigin(executable_path=sys.executable, module_name=MODULE, working_directory=str(Path.cwd()))
    return RemoteRepositoryOrigin(ManagedGrpcPythonEnvCodeLocationOrigin(target, LOCATION), REPOSITORY)


def make_run(
    instance: dg.DagsterInstance,
    job: Any,
    *,
    run_id: str,
    tags: Mapping[str, str],
    run_config: Mapping[str, Any],
    origin: RemoteRepositoryOrigin | None,
    root_run_id: str | None = None,
    steps: Sequence[str] = (),
) -> dg.DagsterRun:
    """Store a run of a reconstructable job that has not started; `steps` of it when it continues `root_run_id`.

    `origin` is the code location whose pages show it; None for that of workspace.yaml.
    """
    definition: dg.JobDefinition = job.get_definition()
    continues = {ROOT_RUN_TAG: root_run_id, PARENT_RUN_TAG: root_run_id} if root_run_id else {}
    all_tags = {**definition.run_tags, **tags, **continues}
    plan = create_execution_plan(
        job, run_config, step_keys_to_execute=list(steps) or None, instance_ref=_reference(instance), tags=all_tags
    )
    return instance.create_run_for_job(
        definition,
        plan,
        run_id=run_id,
        run_config=run_config,
        tags=all_tags,
        root_run_id=root_run_id,
        parent_run_id=root_run_id,
        remote_job_origin=RemoteJobOrigin(origin or _default_origin(), definition.name),
        job_code_origin=job.get_python_origin(),
    )


def _reference(instance: dg.DagsterInstance) -> Any:
    return instance.get_ref() if instance.is_persistent else None


def submit(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Put a run into Dagster's queue, from which the daemon takes it."""
    # The queue asks the workspace for nothing: the run carries its code location.
    instance.submit_run(run.run_id, cast("Any", None))


def takes_submissions(instance: dg.DagsterInstance) -> bool:
    """Whether runs go through Dagster's queue; another coordinator would need the code location itself."""
    return isinstance(instance.run_coordinator, QueuedRunCoordinator)


def withdraw(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Take a run back that is still in the queue; False when it is not there any more."""
    run = instance.get_run_by_id(run_id)
    if run is None or run.status != dg.DagsterRunStatus.QUEUED:
        return False
    return bool(instance.run_coordinator.cancel_run(run_id))


def work_off(instance: dg.DagsterInstance, job: Any, run: dg.DagsterRun) -> bool:
    """Execute a run here to its end; whether it succeeded. One that cannot even begin is marked as failed.

    Raises:
        dagster.DagsterError: Dagster itself could not go on.
    """
    try:
        return bool(execute_run(job, run, instance).success)
    except dg.DagsterError as error:
        left = instance.get_run_by_id(run.run_id)
        if left is not None and not left.is_finished:
            instance.report_run_failed(left, f"The run could not be executed: {error}")
        raise


# The terminal shows progress; Dagster's own lines are in the run's log, where the UI shows them.
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class CannotRun(Exception):
    """The job cannot be started now; the message says why and what to do."""


@dataclass(frozen=True)
class RunOrder:
    """What to run. `tags` go onto the run; `root_run_id` with `steps` continues the chain that this run began."""

    job: str
    tags: Mapping[str, str] = field(default_factory=dict)
    root_run_id: str | None = None
    steps: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunResult:
    """How the run ended, as Dagster sees it, and each step as its events show it. `interrupted`: by Ctrl-C."""

    run_id: str
    success: bool
    state: ChainState
    interrupted: bool = False


def load_job(name: str) -> dg.JobDefinition:
    """The job of that name; called again in every process that works on it."""
    return defs.resolve_job_def(name)


def job_names() -> list[str]:
    """Every job that can be run."""
    return [job.name for job in JOBS]


def steps_of(job: str) -> list[str]:
    """The job's assets, in the order of the lineage."""
    nodes = {node.name for node in load_job(job).nodes}
    return [key for key in GROUP_OF_STEP if key in nodes]


def execute(
    instance: dg.DagsterInstance,
    order: RunOrder,
    on_progress: Callable[[list[dg.EventLogEntry]], None],
    *,
    run_id: str | None = None,
) -> RunResult:
    """Run to the end, here. `on_progress` is handed new events about twice a second, from a thread of its own.

    Raises:
        CannotRun: Dagster could not make the run or work on it.
    """
    run_id = run_id or new_run_id()
    if order.job == CHAIN:
        start_step_server()
        parent = order.root_run_id
        run = dg.DagsterRun(CHAIN, run_id=run_id, tags=order.tags, root_run_id=parent, parent_run_id=parent)
        read_ahead.begin(run, instance, order.steps or steps_of(CHAIN))
    ensure_pool_limits(instance)
    try:
        with events_kept_open(instance, run_id):
            job, run = _made(instance, order, run_id, served_location(instance))
        with _watching(instance, run.run_id, on_progress):
            success = work_off(instance, job, run)
    except dg.DagsterError as error:
        raise CannotRun(_one_line(order.job, error)) from error
    return _result(instance, run.run_id, success)


def hand_over(
    instance: dg.DagsterInstance,
    order: RunOrder,
    on_progress: Callable[[list[dg.EventLogEntry]], None],
    served: Served,
    *,
    run_id: str | None = None,
) -> RunResult | None:
    """Have the daemon run it, and watch it to its end. None: no daemon took it, and it was taken back.

    Raises:
        CannotRun: Dagster could not make the run.
    """
    try:
        _, run = _made(instance, order, run_id or new_run_id(), served)
        submit(instance, run)
    except dg.DagsterError as error:
        raise CannotRun(_one_line(order.job, error)) from error
    try:
        with _watching(instance, run.run_id, on_progress):
            status = _end_of(instance, run.run_id)
    except KeyboardInterrupt:
        raise CannotRun(f"The daemon goes on with the run {run.run_id[:8]}; stop it in Dagster's UI.") from None
    return None if status is None else _result(instance, run.run_id, status == dg.DagsterRunStatus.SUCCESS)


def _end_of(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus | None:
    """How a run of the daemon ended; None when no daemon is there to take it and it was taken back."""
    while (status := _status(instance, run_id)) not in FINISHED:
        time.sleep(LOOK_AGAIN_SECONDS)
        fail_dead_runs(instance)
        served = served_location(instance)
        gone = served is None or not served.lives(datetime.now(UTC))
        if gone and status == dg.DagsterRunStatus.QUEUED and withdraw(instance, run_id):
            return None
    return status


def _made(
    instance: dg.DagsterInstance, order: RunOrder, run_id: str, served: Served | None
) -> tuple[Any, dg.DagsterRun]:
    job = dg.build_reconstructable_job(__name__, load_job.__name__, (order.job,))
    run = make_run(
        instance,
        job,
        run_id=run_id,
        tags={**order.tags, **NEVER_RETRIED},
        run_config=QUIET,
        origin=served.origin if served else None,
        root_run_id=order.root_run_id,
        steps=order.steps,
    )
    return job, run


def _status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    if run is None:
        raise CannotRun(f"The run {run_id[:8]} was deleted while it was watched.")
    return run.status


def _result(instance: dg.DagsterInstance, run_id: str, success: bool) -> RunResult:
    logs = instance.all_logs(run_id)
    return RunResult(run_id, success, fold(chain_events(logs)), any(map(_is_interruption, logs)))


def _is_interruption(entry: dg.EventLogEntry) -> bool:
    event = entry.dagster_event
    if event is None or event.event_type != dg.DagsterEventType.RUN_FAILURE:
        return False
    error = event.job_failure_data.error
    return error is not None and error.cls_name == "DagsterExecutionInterruptedError"


def _one_line(job: str, error: Exception) -> str:
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    return f"Dagster could not run {job}: {type(error).__name__}: {said}. Look at the run in Dagster's UI under Runs."


@contextmanager
def _watching(
    instance: dg.DagsterInstance, run_id: str, on_progress: Callable[[list[dg.EventLogEntry]], None]
) -> Iterator[None]:
    ended = threading.Event()
    thread = threading.Thread(target=_watch, args=(instance, run_id, on_progress, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=10)


def _watch(
    instance: dg.DagsterInstance,
    run_id: str,
    on_progress: Callable[[list[dg.EventLogEntry]], None],
    ended: threading.Event,
) -> None:
    cursor: str | None = None
    while True:
        last_look = ended.wait(0.5)
        page = instance.get_records_for_run(run_id, cursor=cursor)
        cursor = page.cursor
        on_progress([record.event_log_entry for record in page.records])
        if last_look:
            return
