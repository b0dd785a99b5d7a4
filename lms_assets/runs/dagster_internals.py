"""The names that are not public in Dagster, in one place, each with the reason. A minor release may change them.

Dagster 1.13 is pinned in pyproject.toml; raise the bound only when this module still imports and the suite passes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import dagster as dg

# A step that waits for the write lock must end when its run is cancelled: Dagster holds the signal back until asked.
from dagster._utils.interrupts import check_captured_interrupt

# `dg.execute_job` makes a run of no code location, which no job's page shows, and continues a run only with the steps
# of the run just before it. These are what stands behind it.
from dagster._core.execution.api import create_execution_plan, execute_run  # isort: skip
from dagster._core.remote_origin import (  # isort: skip
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin  # isort: skip

# A step whose Celery worker is gone gets its failure from us, in the form in which the executor's loop reads events. A
# worker works in its own machine's home, which stands inside the packed task.
from dagster._core.execution.plan.objects import StepFailureData  # isort: skip
from dagster._core.execution.retries import RetryMode  # isort: skip
from dagster._serdes import pack_value, serialize_value, unpack_value  # isort: skip
from dagster_shared.error import SerializableErrorInfo  # isort: skip

# The data of the one event that a step can store with values of its own and without being about an asset.
from dagster._core.events import EngineEventData  # isort: skip

# Only runs of this coordinator's queue can be handed over without a workspace.
from dagster._core.run_coordinator import QueuedRunCoordinator  # isort: skip

# Dagster's own name for the job of runs that belong to no job, and for the definitions of a module.
ASSET_JOB = "__ASSET_JOB"
REPOSITORY = "__repository__"

# Storages and the run queue, which Dagster finds by name: imported once for all steps instead of once in each.
PRELOADED = (
    "dagster._core.storage.sqlite_storage",
    "dagster._core.storage.local_compute_log_manager",
    "dagster._core.run_coordinator",
)

# What the server of the steps imports first when Dagster starts it; it starts sooner by our own hand.
STEP_EXECUTOR = "dagster._core.executor.multiprocess"

# Whose `create_engine` is called for every event.
SQLITE_EVENTS = "dagster._core.storage.event_log.sqlite.sqlite_event_log"

# Where Dagster's SQLite storages have their migrations, as Alembic names it.
MIGRATIONS = "dagster:_core/storage/alembic"

__all__ = [
    "ASSET_JOB",
    "MIGRATIONS",
    "PRELOADED",
    "REPOSITORY",
    "SQLITE_EVENTS",
    "EngineEventData",
    "LoadableTargetOrigin",
    "ManagedGrpcPythonEnvCodeLocationOrigin",
    "QueuedRunCoordinator",
    "RemoteJobOrigin",
    "RemoteRepositoryOrigin",
    "RetryMode",
    "SerializableErrorInfo",
    "StepFailureData",
    "check_captured_interrupt",
    "create_execution_plan",
    "execute_run",
    "pack_value",
    "remove_check_results",
    "sent_to_celery",
    "serialize_value",
    "unpack_value",
]


def sent_to_celery(*order: Any) -> Any:
    """A step's task, as Dagster's own Celery executor sends it: what waits for its result is ours. Needs the extra."""
    from dagster_celery.executor import _submit_task

    return _submit_task(*order)


def remove_check_results(instance: dg.DagsterInstance, before: datetime) -> int:
    """Remove results of checks from before an instant (UTC), but for the last of each check and of each partition.

    Dagster keeps them for ever and has no command that removes them: 80,000 rows a year. Gives how many.
    """
    from dagster._core.storage.event_log import SqlEventLogStorage
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable as Results

    storage, of = instance.event_log_storage, Results.c
    if not isinstance(storage, SqlEventLogStorage):
        return 0
    of_one = Results.select().with_only_columns(of.id, of.asset_key, of.check_name, of.partition).order_by(of.id)
    with storage.index_connection() as connection:
        last = {tuple(check): number for number, *check in connection.execute(of_one)}
        old = (of.create_timestamp < before.replace(tzinfo=None)) & of.id.not_in(last.values())
        return connection.execute(Results.delete().where(old)).rowcount
