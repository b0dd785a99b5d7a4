"""Runs put into Dagster's queue as `dagster job launch` does, by one code server for all of them.

That command starts a code server of its own for every run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import dagster as dg

from lms_assets_tests.harness import dagster_internals


class Queue:
    """Puts jobs of one workspace into an instance's queue."""

    def __init__(self, workspace: Any) -> None:
        self._workspace = workspace

    def submit(self, job: str, tags: Mapping[str, str]) -> str:
        """The id of the run, which is queued."""
        context = self._workspace.create_request_context()
        (location,) = (entry.code_location for entry in context.get_code_location_entries().values())
        (repository,) = location.get_repositories().values()
        instance: dg.DagsterInstance = self._workspace.instance
        remote = repository.get_full_job(job)
        run = dagster_internals.create_run(instance, location, repository, remote, {}, tags, None, None)
        instance.submit_run(run.run_id, context)
        return str(run.run_id)


@contextmanager
def queue_of(module: str, location: str, instance: dg.DagsterInstance) -> Iterator[Queue]:
    """The queue for a module's jobs; `location` is its name in workspace.yaml, by which the daemon finds it."""
    target = dagster_internals.ModuleTarget(
        module_name=module, attribute=None, working_directory=None, location_name=location
    )
    with dagster_internals.workspace_context(target, instance) as workspace:
        yield Queue(workspace)


def report_of_a_daemon(instance: dg.DagsterInstance, at: datetime) -> None:
    """Leave the report that the daemon's sensor thread leaves every 30 seconds."""
    instance.add_daemon_heartbeat(dagster_internals.DaemonHeartbeat(at.timestamp(), "SENSOR", "a-daemon"))
