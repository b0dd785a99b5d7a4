"""A harness with what a daemon would have: an instance that writes the chain log, sensors that can be ticked."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from lms_assets.runs.dagster_internals import MIGRATIONS
from lms_assets.sandbox import SandboxConfig, running_sandbox
from lms_assets.sandbox.server.server import SandboxHandle
from lms_assets.warehouse.migrations.remembered import remember_migrations
from lms_assets_tests.harness.chain import SMALL, ChainHarness, ChainResult, quick_resources_of
from lms_assets_tests.harness.checkpoints import Saved, in_memory, put_back
from lms_assets_tests.harness.folders import temporary_folder
from lms_assets_tests.harness.quick_instance import QUICK_EVENTS
from lms_assets_tests.harness.shared import made_once

# Opening Dagster's SQLite storages would load its 90 migrations four times for each harness.
remember_migrations(MIGRATIONS)


class DaemonHarness(ChainHarness):
    """A ChainHarness whose runs are written to the chain log and the task page, and whose sensors can be ticked."""

    def __init__(self, folder: Path, sandbox: SandboxHandle, instance: dg.DagsterInstance, **more: str) -> None:
        super().__init__(folder, sandbox, instance=instance, **more)
        self._cursors: dict[str, str | None] = {}

    @property
    def runs_file(self) -> Path:
        """Where Dagster keeps its runs."""
        return self.folder / "home" / "history" / "runs.db"

    def be_after(self, *jobs: str) -> None:
        """Be where these jobs lead when they run one right after the other in an untouched vendor state."""
        evening = _after(jobs, self.sandbox.sandbox.config)
        evening.saved.restore(self)
        self.instance.event_log_storage.restore(evening.events)
        put_back(evening.runs, self.runs_file)

    def tick(self, sensor: dg.SensorDefinition, **environment: str) -> Any:
        """What the sensor answers now; its cursor is kept."""
        context = dg.build_sensor_context(
            instance=self.instance, cursor=self._cursors.get(sensor.name), resources=quick_resources_of(sensor)
        )
        with self.surroundings(environment):
            answer = sensor(context)
        self._cursors[sensor.name] = context.cursor
        if isinstance(answer, dg.SensorResult):
            self._cursors[sensor.name] = answer.cursor
            for event in answer.asset_events:
                self.instance.report_runless_asset_event(event)
        return answer

    def by_hand(self, *assets: str) -> ChainResult:
        """Materialize these assets, with their checks, as the UI's button does: in no job of ours."""
        return self.run("__ASSET_JOB", assets=assets)

    def follow(self, answer: Any, job: str) -> Any:
        """Run what a sensor asked for."""
        assert isinstance(answer, dg.RunRequest), answer
        return self.run(job, tags=answer.tags)


@dataclass(frozen=True)
class Evening:
    """Where runs led: the warehouse, what they left in the CRM, and Dagster's events and runs."""

    saved: Saved
    events: bytes
    runs: bytes


@functools.cache
def _after(jobs: tuple[str, ...], config: SandboxConfig) -> Evening:
    """Where these jobs lead, one right after the other."""
    state = hashlib.sha256(repr(config).encode()).hexdigest()[:12]
    return made_once(f"after_{'_'.join(jobs)}_{state}", lambda: _evening(jobs, config))


def _evening(jobs: tuple[str, ...], config: SandboxConfig) -> Evening:
    with temporary_folder() as folder, watched_harness(folder, config) as harness:
        for job in jobs:
            result = harness.run(job)
            assert result.success, result.errors
        return Evening(Saved.of(harness), harness.instance.event_log_storage.saved(), in_memory(harness.runs_file))


@contextmanager
def watched_harness(
    folder: Path,
    config: SandboxConfig = SMALL,
    *,
    dagster_yaml: Mapping[str, Any] | None = None,
    events_on_disk: bool = False,
    **environment: str,
) -> Iterator[DaemonHarness]:
    """A harness in an empty folder with a sandbox of its own.

    `events_on_disk`: Dagster's own log of events, for what looks at its files or at the pools' limits.
    """
    home = folder / "home"
    home.mkdir()
    overrides = dict(dagster_yaml or {}) | ({} if events_on_disk else QUICK_EVENTS)
    with (
        running_sandbox(config) as sandbox,
        dg.instance_for_test(temp_dir=str(home), overrides=overrides) as instance,
    ):
        harness = DaemonHarness(folder, sandbox, instance, **environment)
        try:
            yield harness
        finally:
            harness.warehouse.close()


def one_row(harness: ChainHarness, table: str, **wanted: Any) -> Mapping[str, Any]:
    """The newest row of a table that has these values."""
    rows = [row for row in harness.rows(table) if all(row[name] == value for name, value in wanted.items())]
    assert rows, f"no row of {table} has {wanted}"
    return rows[-1]
