"""The names of Dagster that are not public and that tests need, in one place, each with the reason.

Each is imported when it is first asked for: the daemon's modules take a while, and few tests need them.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

# Name here: module, and the name in it; empty for the module itself.
_NAMES = {
    # Nothing public evaluates schedules and sensors with storage, code server and queue at another time than now.
    "launch_scheduled_runs": ("dagster._scheduler.scheduler", "launch_scheduled_runs"),
    "execute_sensor_iteration": ("dagster._daemon.sensor", "execute_sensor_iteration"),
    "freeze_time": ("dagster._core.test_utils", "freeze_time"),
    "workspace_context": ("dagster._core.test_utils", "create_test_daemon_workspace_context"),
    "ModuleTarget": ("dagster._core.workspace.load_target", "ModuleTarget"),
    # `dagster job launch` calls this; as a command it starts a code server for every run.
    "create_run": ("dagster._cli.job", "_create_run"),
    # What the daemon leaves every 30 seconds, for tests that start no daemon.
    "DaemonHeartbeat": ("dagster._daemon.types", "DaemonHeartbeat"),
    # The daemon hands every ended run to this function, and nothing public says what it decides.
    "filter_runs_to_should_retry": (
        "dagster._daemon.auto_run_reexecution.auto_run_reexecution",
        "filter_runs_to_should_retry",
    ),
    # What an instance in memory is made of, for one that stores the same rows in fewer statements.
    "event_log": ("dagster._core.storage.event_log", ""),
    "events_in_memory": ("dagster._core.storage.event_log.in_memory", ""),
    "runs_in_memory": ("dagster._core.storage.runs.in_memory", ""),
    "EVENT_TABLE": ("dagster._core.storage.event_log.schema", "SqlEventLogStorageTable"),
    "ASSET_CHECK_EVENTS": ("dagster._core.events", "ASSET_CHECK_EVENTS"),
    "copy_record": ("dagster_shared.record", "copy"),
}

SQLITE_STORAGE = "dagster._core.storage.sqlite_storage"
"""For processes that are made warm before a command's work begins."""
NO_COMPUTE_LOGS = (
    "compute_logs: {module: dagster._core.storage.noop_compute_log_manager, class: NoOpComputeLogManager}\n"
)
"""For dagster.yaml: Dagster else starts four processes a step that follow what it prints, a third of a small step."""


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(name)
    module, inside = _NAMES[name]
    found = import_module(module)
    return getattr(found, inside) if inside else found
