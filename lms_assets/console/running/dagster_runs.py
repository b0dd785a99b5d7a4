"""Makes a run in Dagster's storage and works it off in this process.

Dagster's public `execute_job` makes a run of no code location, which no page of a job shows, and continues a run only
with the steps of the run just before it. The functions behind it are not public and used here only.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import dagster as dg

from lms_assets.automation.chain_log import ROOT_RUN_TAG
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
