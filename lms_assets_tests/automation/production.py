"""Production's dagster.yaml under real processes of Dagster on a real MariaDB, and what a disturbed chain comes to."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from subprocess import Popen
from typing import Any
from urllib.parse import urlsplit

import dagster as dg

from lms_assets.lineage import DAILY_FULL
from lms_assets.run_tags import AS_OF_TAG
from lms_assets.runs.tags import trailing_days_tags
from lms_assets.sandbox.config import SandboxConfig
from lms_assets.sandbox.server.server import SandboxHandle, running_sandbox
from lms_assets.warehouse.bookkeeping.chain_log import ChainRow, latest_chain
from lms_assets.warehouse.engine import Warehouse
from lms_assets_tests.architecture import source
from lms_assets_tests.harness.chain import NOW, ChainHarness, data_of
from lms_assets_tests.harness.commands import Commands, kill_all, wait_until
from lms_assets_tests.harness.queue import queue_of
from lms_assets_tests.harness.waits import LONGEST_SECONDS

CONFIG = SandboxConfig(scale=0.005, now=NOW, northpass_rps=0, impartner_rps=0, latency_ms=25)
PROGRAMS = Path(sys.executable).parent
LOOKS = "poll_interval_seconds: 30"
HANGS_SECONDS = 90
Status = dg.DagsterRunStatus


def mysql_variables(url: str) -> dict[str, str]:
    """The variables by which dagster.yaml finds a database of MariaDB."""
    parts = urlsplit(url)
    values = (parts.hostname, parts.port, parts.path.strip("/"), parts.username, parts.password)
    names = ("HOST", "PORT", "DB", "USERNAME", "PASSWORD")
    return {f"DAGSTER_MYSQL_{name}": str(value) for name, value in zip(names, values, strict=True)}


class Production:
    """A home with production's dagster.yaml, its two databases, and the daemon when it is started."""

    def __init__(
        self, folder: Path, sandbox: SandboxHandle, dagster_url: str, warehouse_url: str, *, executor: str
    ) -> None:
        self.commands = Commands(folder / "production", sandbox, warehouse_url, executor=executor)
        text = (source.ROOT / "dagster.yaml").read_text(encoding="utf-8")
        assert LOOKS in text
        # Half a minute until a dead run is noticed is half a minute of a daemon that works for nothing.
        (self.commands.home / "dagster.yaml").write_text(text.replace(LOOKS, f"{LOOKS[:-2]}2"), encoding="utf-8")
        self.commands.environment |= mysql_variables(dagster_url)
        self.warehouse = Warehouse(warehouse_url)
        self.warehouse.upgrade()
        self.workspace = source.ROOT / "workspace.yaml"
        self.daemon: Popen[bytes] | None = None
        self.webserver: Popen[bytes] | None = None

    def start(self) -> None:
        """Start the daemon, and with it its code server."""
        self.daemon = self.commands.start("run", "-w", str(self.workspace), program=str(PROGRAMS / "dagster-daemon"))

    def serve(self, port: int) -> None:
        """Start the webserver on a port of this machine."""
        words = ("-h", "127.0.0.1", "-p", str(port), "-w", str(self.workspace))
        self.webserver = self.commands.start(*words, program=str(PROGRAMS / "dagster-webserver"))

    def stop_the_machine(self) -> None:
        """Kill the daemon, its code server, every run's worker and every step, all at once."""
        assert self.daemon is not None
        kill_all(self.daemon)

    def close(self) -> None:
        """End what runs of both in good order."""
        self.warehouse.close()
        for process in (self.daemon, self.webserver):
            if process is not None and process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(LONGEST_SECONDS)
                # A code server that lost its thread in an outage does not end by itself.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    @property
    def log(self) -> Path:
        """What all processes print."""
        return self.commands.folder / "started.log"

    def wait_until(self, holds: Callable[[], bool], every: float = 0.5) -> None:
        """Wait for a state that can be seen from outside; the daemon must live that long.

        To ask Dagster opens a connection to its database.
        """
        assert self.daemon is not None
        assert wait_until(holds, self.daemon, every), f"the daemon ended:\n{self.log.read_text()[-3000:]}"

    @property
    def chain(self) -> ChainRow | None:
        """The row of the last chain."""
        with self.warehouse.read() as connection:
            return latest_chain(connection, "daily_full")


def queued(instance: dg.DagsterInstance, now: datetime) -> tuple[str, str]:
    """A chain and a plan for leavers, both of the learning concurrency group, in the queue; nobody empties it yet."""
    with queue_of("lms_assets.definitions", "lms_assets", instance) as queue:
        first = queue.submit("daily_full", {AS_OF_TAG: now.isoformat(), **trailing_days_tags(now, 1)})
        second = queue.submit("offboarding_plan", {AS_OF_TAG: now.isoformat()})
    return first, second


def status(instance: dg.DagsterInstance, run_id: str) -> Status:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def child_of(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRun | None:
    """The run by which Dagster continues another by itself."""
    found = instance.get_runs(filters=dg.RunsFilter(tags={"dagster/parent_run_id": run_id}))
    return found[0] if found else None


def done(row: ChainRow | None) -> set[str]:
    """Steps of a chain that are completed."""
    return {step["step"] for step in row.steps if step["status"] == "completed"} if row else set()


def same_as_undisturbed(production: Production, folder: Path) -> None:
    """The chain's row is whole, and the rows of both are what a chain came to that nobody disturbed."""
    row = production.chain
    assert row is not None
    assert row.status == "completed"
    assert done(row) == set(DAILY_FULL)
    assert row.as_of is not None
    with running_sandbox(CONFIG) as untouched:
        harness = ChainHarness(folder, untouched)
        harness.product_now = row.as_of
        assert harness.run().success
        assert data_of(production.warehouse) == data_of(harness.warehouse)
        harness.close()


# What the loss of the database explains, whoever prints it: the last lines of tracebacks, and lines of loggers. The
# thread is that of a code server whose run ended meanwhile; the daemon starts a new code server every minute.
LOST_DATABASE = (
    r"DatabaseError|OperationalError|InterfaceError|DagsterMySQLException|ConnectionRefusedError"
    r"|Exception in thread grpc-server-cleanup"
)


def graphql(port: int, query: str) -> dict[str, Any] | None:
    """What the webserver answers; None when it says that something is wrong. An error when it hangs."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql", json.dumps({"query": query}).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=HANGS_SECONDS) as answer:
            found: dict[str, Any] | None = json.load(answer)["data"]
            return found
    except urllib.error.URLError:
        return None


def shown_runs(port: int) -> set[str] | None:
    """The ids of the runs on the UI's page; None when it says that something is wrong."""
    found = (graphql(port, "{runsOrError {__typename ... on Runs {results {runId}}}}") or {}).get("runsOrError") or {}
    return {run["runId"] for run in found["results"]} if found.get("__typename") == "Runs" else None


def errors_in(log: str) -> list[str]:
    """The last line of each traceback, and each line that a logger calls an error."""
    return [
        line
        for line in log.splitlines()
        if re.match(r"(\w+\.)*\w*(Error|Exception|Interrupt)\b", line) or re.search(r" - (ERROR|CRITICAL) - ", line)
    ]


def unexplained(log: str) -> set[str]:
    """Those that the loss of the database does not explain."""
    return {line for line in errors_in(log) if not re.search(LOST_DATABASE, line)}
