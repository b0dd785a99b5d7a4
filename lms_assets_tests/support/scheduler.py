"""Dagster's own scheduler, asked what it would launch up to an instant that the test chooses.

The daemon asks the same function every few seconds with the clock's time. It is not public, hence by name and in this
one place: nothing public evaluates a schedule with storage, code server and queue as the daemon does, at another time.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import dagster as dg

_SCHEDULER = "dagster._scheduler.scheduler"
_TEST_UTILS = "dagster._core.test_utils"
_TARGETS = "dagster._core.workspace.load_target"


class Scheduler:
    """The schedules of a module, all switched on."""

    def __init__(self, workspace: Any) -> None:
        self._workspace = workspace
        self._launch = importlib.import_module(_SCHEDULER).launch_scheduled_runs
        self._iteration_times: dict[str, Any] = {}
        self._log = logging.getLogger("scheduler of the tests")
        self._log.setLevel(logging.CRITICAL)

    def switch_on(self) -> list[str]:
        """Start every schedule; gives their names."""
        names = []
        for entry in self._workspace.create_request_context().get_code_location_entries().values():
            for repository in entry.code_location.get_repositories().values():
                for schedule in repository.get_schedules():
                    self._workspace.instance.start_schedule(schedule)
                    names.append(schedule.name)
        return names

    def until(self, instant: datetime) -> None:
        """Launch what is due up to an instant (UTC)."""
        for problem in self._launch(self._workspace, self._log, instant, self._iteration_times):
            assert problem is None or not hasattr(problem, "message"), problem


@contextmanager
def scheduler_of(module: str, instance: dg.DagsterInstance) -> Iterator[Scheduler]:
    """The scheduler of a module's schedules, with a code server of its own."""
    target = importlib.import_module(_TARGETS).ModuleTarget(
        module_name=module, attribute=None, working_directory=None, location_name="lms_assets"
    )
    with importlib.import_module(_TEST_UTILS).create_test_daemon_workspace_context(target, instance) as workspace:
        yield Scheduler(workspace)
