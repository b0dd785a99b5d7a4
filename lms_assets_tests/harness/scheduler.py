"""Dagster's own scheduler and sensor daemon, asked what they would do at an instant that the test chooses.

The daemon asks the same functions every few seconds with the clock's time. They are not public, hence by name and in
this one place: nothing public evaluates schedules and sensors with storage, code server and queue as the daemon does,
at another time.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from typing import Any

import dagster as dg

_SCHEDULER = "dagster._scheduler.scheduler"
_SENSORS = "dagster._daemon.sensor"
_TEST_UTILS = "dagster._core.test_utils"
_TARGETS = "dagster._core.workspace.load_target"


class Scheduler:
    """The schedules and sensors of a module; each is off until it is switched on, or on by its own definition."""

    def __init__(self, workspace: Any) -> None:
        self._workspace = workspace
        self._launch = importlib.import_module(_SCHEDULER).launch_scheduled_runs
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
        for problem in self._launch(self._workspace, self._log, instant, self._iteration_times):
            assert problem is None or not hasattr(problem, "message"), problem

    def sense(self, instant: datetime) -> None:
        """Evaluate every sensor that is on, at an instant (UTC)."""
        iteration = importlib.import_module(_SENSORS).execute_sensor_iteration
        with _clock_at(instant):
            list(iteration(self._workspace, self._log, None, None))


def _clock_at(instant: datetime | None) -> AbstractContextManager[Any]:
    """Dagster's clock at an instant (UTC), or as it goes."""
    frozen: Any = importlib.import_module(_TEST_UTILS).freeze_time
    return nullcontext() if instant is None else frozen(instant)


@contextmanager
def scheduler_of(module: str, instance: dg.DagsterInstance) -> Iterator[Scheduler]:
    """The scheduler of a module's schedules, with a code server of its own."""
    target = importlib.import_module(_TARGETS).ModuleTarget(
        module_name=module, attribute=None, working_directory=None, location_name="lms_assets"
    )
    with importlib.import_module(_TEST_UTILS).create_test_daemon_workspace_context(target, instance) as workspace:
        yield Scheduler(workspace)
