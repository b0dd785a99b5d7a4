"""Runs through the real command on the same warehouse, with a Dagster on disk; by a daemon where one is started."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from subprocess import Popen

import dagster as dg

from lms_assets.lineage import DAILY_FULL
from lms_assets.runs.active import FINISHED, served_location
from lms_assets.sandbox.server.server import SandboxHandle
from lms_assets.warehouse.bookkeeping.chain_log import latest_chain
from lms_assets.warehouse.engine import Warehouse
from lms_assets_tests.architecture import source
from lms_assets_tests.faults.judge import Ending
from lms_assets_tests.harness.commands import Commands, kill_all, wait_until
from lms_assets_tests.harness.waits import LONGEST_SECONDS, comes_about

DAEMON = str(Path(sys.executable).with_name("dagster-daemon"))
ENDINGS = {0: "went through", 1: "failed", 3: "partial"}


class Terminal:
    """`lms-assets run`, beside whatever else works on the warehouse."""

    def __init__(self, folder: Path, sandbox: SandboxHandle, url: str) -> None:
        self.commands = Commands(folder / "terminal", sandbox, url)
        self.left_open = False
        """Whether its last chain failed or was killed: then it can be resumed."""
        self.by_daemon = 0
        """How many runs a daemon took."""

    def words(self, dice: Random) -> tuple[str, ...]:
        """What to run: an open chain is gone on with every other time."""
        if self.left_open and dice.random() < 0.5:
            return "daily_full", "--resume"
        job = dice.choices(("daily_full", "enrollments_incremental", "push_to_impartner"), (6, 3, 1))[0]
        days = ("--last-days", str(dice.choice((1, 7, 30)))) if job != "push_to_impartner" else ()
        return (job, *(days if dice.random() < 0.3 else ()))

    def run(self, words: tuple[str, ...]) -> Ending:
        """Run to the end.

        Raises:
            AssertionError: the command ended with another code than a run's.
        """
        done = self.commands.run("run", *words)
        self._quiet()
        self.by_daemon += "Dagster's daemon runs it" in done.stdout
        assert done.returncode in ENDINGS, done.stdout + done.stderr
        word = ENDINGS[done.returncode]
        if "was not started" in done.stdout or "There is no failed chain" in done.stdout:
            word = "refused"
        elif words[0] == "daily_full":
            self.left_open = word != "went through"
        return Ending(word, done.stdout)

    def kill(self, words: tuple[str, ...], at: str) -> Ending:
        """Run, and kill it with all its processes once the chain has begun this step; it may end before."""
        warehouse = Warehouse(self.commands.url)

        def begun() -> bool:
            with warehouse.read() as connection:
                row = latest_chain(connection, "daily_full")
            return row is not None and row.status == "running" and row.current_step == at

        process = self.commands.start("run", *words)
        wait_until(begun, process)
        warehouse.close()
        if process.poll() is None:
            kill_all(process)
        self.left_open = True
        return Ending("killed")

    @staticmethod
    def step_to_kill(dice: Random) -> str:
        """A step of the chain."""
        return dice.choice(DAILY_FULL)

    @contextmanager
    def daemon(self) -> Iterator[None]:
        """A daemon that serves the code location: what the command asks for goes through its queue."""
        workspace = str(source.ROOT / "workspace.yaml")
        process = self.commands.start("run", "-w", workspace, program=DAEMON)
        try:
            with self._instance() as instance:
                assert wait_until(lambda: served_location(instance) is not None, process), "the daemon ended"
            yield
        finally:
            _end(process)

    def _quiet(self) -> None:
        """Wait until the daemon has nothing more to do: its sensors may have asked for something."""
        with self._instance() as instance:
            assert comes_about(lambda: all(run.status in FINISHED for run in instance.get_runs(limit=20)))

    def _instance(self) -> dg.DagsterInstance:
        return dg.DagsterInstance.from_config(str(self.commands.home))


def _end(process: Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(LONGEST_SECONDS)
