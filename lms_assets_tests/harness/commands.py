"""The real command in a process of its own, with an environment and a home of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from lms_assets.console.commands import demo
from lms_assets.sandbox.config import IMPARTNER_KEY, NORTHPASS_KEY
from lms_assets.sandbox.server.server import SandboxHandle
from lms_assets_tests.harness.waits import LONGEST_SECONDS

COMMAND = str(Path(sys.executable).with_name("lms-assets"))
ROOT = Path(__file__).resolve().parents[2]


class Commands:
    """Runs `lms-assets` against a sandbox. What it prints is as wide as a log, without colours."""

    def __init__(self, folder: Path, sandbox: SandboxHandle, warehouse_url: str | None = None) -> None:
        self.folder = folder
        self.command = COMMAND
        self.home = folder / "dagster_home"
        self.home.mkdir(parents=True)
        shutil.copyfile(Path(demo.__file__).with_name("demo_dagster.yaml"), self.home / "dagster.yaml")
        self.url = warehouse_url or f"sqlite:///{folder / 'warehouse.db'}"
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "HOME": str(folder),
            "COLUMNS": "160",
            "NO_COLOR": "1",
            "DAGSTER_HOME": str(self.home),
            "NORTHPASS_BASE_URL": sandbox.northpass_url,
            "NORTHPASS_API_KEY": NORTHPASS_KEY,
            "NORTHPASS_REQUESTS_PER_SECOND": "1000",
            "IMPARTNER_BASE_URL": sandbox.impartner_url,
            "IMPARTNER_API_KEY": IMPARTNER_KEY,
            "IMPARTNER_REQUESTS_PER_SECOND": "1000",
            "LMS_WAREHOUSE_URL": self.url,
            "LMS_PORTAL_URL": "https://portal.example.com",
        }

    def run(self, *words: str, **environment: str | None) -> subprocess.CompletedProcess[str]:
        """Run to the end. A variable given as None is taken out of the environment."""
        return subprocess.run(
            [self.command, *words],
            env=self._merged(environment),
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

    def _merged(self, environment: Mapping[str, str | None]) -> dict[str, str]:
        merged = {**self.environment, **environment}
        return {name: value for name, value in merged.items() if value is not None}


def kill_all(process: subprocess.Popen[bytes]) -> None:
    """End a process and everything it started at once, as a power cut does."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(LONGEST_SECONDS)


def wait_until(holds: Callable[[], bool], process: subprocess.Popen[bytes]) -> bool:
    """Wait for a condition; False when the process ended before."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while not holds():
        if process.poll() is not None:
            return False
        if time.monotonic() > deadline:
            raise TimeoutError("the condition did not come about")
        time.sleep(0.02)
    return True
