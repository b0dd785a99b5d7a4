"""The real command in a process of its own, with an environment and a home of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from lms_assets.console.commands import demo
from lms_assets.sandbox.server.server import SandboxHandle
from lms_assets_tests.harness.dagster_internals import NO_COMPUTE_LOGS
from lms_assets_tests.harness.environment import ROOT as ROOT
from lms_assets_tests.harness.environment import of_a_process, of_the_product
from lms_assets_tests.harness.templates import empty_sqlite
from lms_assets_tests.harness.waits import LONGEST_SECONDS
from lms_assets_tests.harness.warm import run_warm

COMMAND = str(Path(sys.executable).with_name("lms-assets"))


class Commands:
    """Runs `lms-assets` against a sandbox. What it prints is as wide as a log, without colours.

    `executor`: where a chain's steps run. In the run's own process they take a third of the processor time.
    """

    def __init__(
        self, folder: Path, sandbox: SandboxHandle, warehouse_url: str | None = None, *, executor: str = "multiprocess"
    ) -> None:
        self.folder = folder
        self.command = COMMAND  # or that of another installation
        self.home = folder / "dagster_home"
        self.home.mkdir(parents=True)
        dagster_yaml = Path(demo.__file__).with_name("demo_dagster.yaml").read_text(encoding="utf-8")
        (self.home / "dagster.yaml").write_text(dagster_yaml + NO_COMPUTE_LOGS, encoding="utf-8")
        self.url = warehouse_url or f"sqlite:///{folder / 'warehouse.db'}"
        self.environment = {
            **of_a_process(folder, COLUMNS="160", LMS_EXECUTOR=executor),
            **of_the_product(sandbox, self.url, self.home),
        }

    def make_tables(self) -> None:
        """Make the SQLite warehouse, as `lms-assets db upgrade` does."""
        Path(self.url.removeprefix("sqlite:///")).write_bytes(empty_sqlite())

    def run(self, *words: str, **environment: str | None) -> subprocess.CompletedProcess[str]:
        """Run to the end. A variable given as None is taken out of the environment."""
        merged = {**self.environment, **environment}
        kept = {name: value for name, value in merged.items() if value is not None}
        if self.command == COMMAND:
            return run_warm(words, kept, self.folder)
        return subprocess.run(
            [self.command, *words],
            env=kept,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
            check=False,
        )

    def start(self, *words: str, program: str = COMMAND) -> subprocess.Popen[bytes]:
        """Start in a process group of its own; end it with `kill_all`."""
        with (self.folder / "started.log").open("ab") as log:
            return subprocess.Popen(
                [program, *words],
                env=self.environment,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def kill_all(process: subprocess.Popen[bytes]) -> None:
    """End a process and everything it started at once, as a power cut does."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(LONGEST_SECONDS)


def wait_until(holds: Callable[[], bool], process: subprocess.Popen[bytes], every: float = 0.05) -> bool:
    """Wait for a condition, asking `every` so many seconds; False when the process ended before."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while not holds():
        if process.poll() is not None:
            return False
        if time.monotonic() > deadline:
            raise TimeoutError("the condition did not come about")
        time.sleep(every)
    return True
