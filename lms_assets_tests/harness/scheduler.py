"""Dagster's own scheduler and sensor daemon, asked what they would do at an instant that the test chooses.

The daemon asks the same functions every few seconds with the clock's time.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from typing import Any

import dagster as dg

from lms_assets_tests.harness import dagster_internals


class Scheduler:
    """The schedules and sensors of a module; each is off until it is switched on, or on by its own definition."""

    def __init__(self, workspace: Any) -> None:
        self._workspace = workspace
        self._iteration_times: dict[str, Any] = {}
        self._log = logging.getLogger("scheduler of the tests")
        self._log.setLevel(logging.CRITICAL)

    def switch_on(self, at: datetime | None = None) -> list[str]:
        """Start every schedule, as of an instant (UTC); gives their names."""
        names = []
        with _clock_at(at):
            for repository in self._repositories():
                for schedule in repository.get_schedules():
                    self._workspace.instance.start_schedule(schedule)
                    names.append(schedule.name)
        return names

    def _repositories(self) -> Iterator[Any]:
        for entry in self._workspace.create_request_context().get_code_location_entries().values():
            yield from entry.code_location.get_repositories().values()

    def forget(self) -> None:
        """Be as after a restart, for an instance whose instigators were removed."""
        self._iteration_times.clear()

    def until(self, instant: datetime) -> None:
        """Launch what is due up to an instant (UTC)."""
        for problem in dagster_internals.launch_scheduled_runs(
            self._workspace, self._log, instant, self._iteration_times
        ):
            assert problem is None or not hasattr(problem, "message"), problem

    def sense(self, instant: datetime) -> None:
        """Evaluate every sensor that is on, at an instant (UTC)."""
        with _clock_at(instant):
            list(dagster_internals.execute_sensor_iteration(self._workspace, self._log, None, None))


def _clock_at(instant: datetime | None) -> AbstractContextManager[Any]:
    """Dagster's clock at an instant (UTC), or as it goes."""
    frozen: AbstractContextManager[Any] = nullcontext() if instant is None else dagster_internals.freeze_time(instant)
    return frozen


@contextmanager
def scheduler_of(module: str, instance: dg.DagsterInstance) -> Iterator[Scheduler]:
    """The scheduler of a module's schedules, with a code server of its own."""
    target = dagster_internals.ModuleTarget(
        module_name=module, attribute=None, working_directory=None, location_name="lms_assets"
    )
    with dagster_internals.workspace_context(target, instance) as workspace:
        yield Scheduler(workspace)
