"""Production's dagster.yaml, a real daemon, a real MariaDB: runs wait in concurrency groups; a machine stops.

One story in one test, since a daemon and a chain take many seconds: two runs of one concurrency group are queued,
everything is killed in the first one's middle, a new daemon has to find out by itself, and then serves a terminal.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from subprocess import Popen
from urllib.parse import urlsplit

import dagster as dg
import pytest

from lms_assets.lineage import DAILY_FULL, NORTHPASS_POOL
from lms_assets.run_tags import AS_OF_TAG
from lms_assets.runs.partitions import trailing_days_tags
from lms_assets.sandbox.config import SandboxConfig
from lms_assets.sandbox.server.server import SandboxHandle, running_sandbox
from lms_assets.warehouse.bookkeeping.chain_log import ChainRow, latest_chain
from lms_assets.warehouse.engine import Warehouse
from lms_assets_tests.architecture import source
from lms_assets_tests.harness.chain import NOW, ChainHarness, data_of
from lms_assets_tests.harness.commands import Commands, kill_all, wait_until
from lms_assets_tests.harness.mariadb import MariaDbServer
from lms_assets_tests.harness.queue import queue_of
from lms_assets_tests.harness.waits import LONGEST_SECONDS

pytestmark = pytest.mark.slow
CONFIG = SandboxConfig(scale=0.005, now=NOW, northpass_rps=0, impartner_rps=0, latency_ms=25)
DAEMON = str(Path(sys.executable).with_name("dagster-daemon"))
SHOWN_BY_THE_JOBS_PAGE = {".dagster/repository": "__repository__@lms_assets"}
STARTED_BY_THE_DAEMON = ".dagster/grpc_info"
LOOKS = "poll_interval_seconds: 30"
Status = dg.DagsterRunStatus


class Production:
    """A home with production's dagster.yaml, its two databases, and the daemon when it is started."""

    def __init__(self, folder: Path, sandbox: SandboxHandle, dagster_url: str, warehouse_url: str) -> None:
        self.commands = Commands(folder / "production", sandbox, warehouse_url)
        text = (source.ROOT / "dagster.yaml").read_text(encoding="utf-8")
        assert LOOKS in text
        # Half a minute until a dead run is noticed is half a minute of a daemon that works for nothing.
        (self.commands.home / "dagster.yaml").write_text(text.replace(LOOKS, f"{LOOKS[:-2]}2"), encoding="utf-8")
        parts = urlsplit(dagster_url)
        values = (parts.hostname, parts.port, parts.path.strip("/"), parts.username, parts.password)
        for name, value in zip(("HOST", "PORT", "DB", "USERNAME", "PASSWORD"), values, strict=True):
            self.commands.environment[f"DAGSTER_MYSQL_{name}"] = str(value)
        self.warehouse = Warehouse(warehouse_url)
        self.warehouse.upgrade()
        self.daemon: Popen[bytes] | None = None

    def start(self) -> None:
        """Start the daemon, and with it its code server."""
        self.daemon = self.commands.start("run", "-w", str(source.ROOT / "workspace.yaml"), program=DAEMON)

    def stop_the_machine(self) -> None:
        """Kill the daemon, its code server, every run's worker and every step, all at once."""
        assert self.daemon is not None
        kill_all(self.daemon)

    def close(self) -> None:
        """End the daemon in good order if it runs."""
        self.warehouse.close()
        if self.daemon is not None and self.daemon.poll() is None:
            os.killpg(self.daemon.pid, signal.SIGTERM)
            self.daemon.wait(LONGEST_SECONDS)

    def wait_until(self, holds: Callable[[], bool], every: float = 0.5) -> None:
        """Wait for a state that can be seen from outside; the daemon must live that long.

        To ask Dagster opens a connection to its database.
        """
        assert self.daemon is not None
        log = self.commands.folder / "started.log"
        assert wait_until(holds, self.daemon, every), f"the daemon ended:\n{log.read_text()[-3000:]}"

    @property
    def chain(self) -> ChainRow | None:
        """The row of the last chain."""
        with self.warehouse.read() as connection:
            return latest_chain(connection, "daily_full")


@pytest.fixture
def production(mariadb: MariaDbServer, quick_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Production]:
    with ExitStack() as stack:
        sandbox = stack.enter_context(running_sandbox(CONFIG))
        urls = [stack.enter_context(mariadb.fresh_database(name)) for name in ("daemons_dagster", "daemons_portal")]
        made = Production(quick_folder, sandbox, *urls)
        stack.callback(made.close)
        for name, value in made.commands.environment.items():
            if name.startswith(("DAGSTER_", "LMS_")):
                monkeypatch.setenv(name, value)
        yield made


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


def happened(instance: dg.DagsterInstance, run_id: str, *kinds: str) -> list[int]:
    """How often each kind of event was stored for a run."""
    seen = Counter(entry.dagster_event_type for entry in instance.all_logs(run_id))
    return [seen[dg.DagsterEventType(kind)] for kind in kinds]


def times(instance: dg.DagsterInstance, run_id: str) -> tuple[float, float]:
    record = instance.get_run_record_by_id(run_id)
    assert record is not None
    assert record.start_time is not None
    assert record.end_time is not None
    return record.start_time, record.end_time


def test_concurrency_groups_hold_and_a_chain_on_a_stopped_machine_is_continued(
    production: Production, quick_folder: Path
):
    now = datetime.now(UTC)
    with dg.DagsterInstance.from_config(str(production.commands.home)) as instance:
        chain, second = queued(instance, now)
        production.start()
        production.wait_until(
            lambda: (row := production.chain) is not None and row.current_step == "enrollments", every=0.05
        )
        assert status(instance, second) == Status.QUEUED, "two runs of one concurrency group take turns"
        production.stop_the_machine()
        assert status(instance, chain) == Status.STARTED, "nobody has told Dagster"
        pool = instance.event_log_storage.get_concurrency_info(NORTHPASS_POOL)
        assert pool.active_run_ids == {chain}
        before = done(production.chain)
        assert before >= set(DAILY_FULL[: DAILY_FULL.index("enrollments")])

        production.start()
        production.wait_until(lambda: status(instance, chain) == Status.FAILURE)
        production.wait_until(lambda: (row := production.chain) is not None and row.status == "failed")
        told = production.chain
        assert told is not None
        assert told.error_message == "enrollments: the process ended without a result (killed, or the machine stopped)"

        production.wait_until(lambda: (child := child_of(instance, chain)) is not None and child.is_finished)
        production.wait_until(lambda: status(instance, second).value in {"SUCCESS", "FAILURE"})
        child = child_of(instance, chain)
        assert child is not None
        assert (child.status, status(instance, second)) == (Status.SUCCESS, Status.SUCCESS)
        (one_from, one_to), (other_from, other_to) = times(instance, child.run_id), times(instance, second)
        assert one_to <= other_from or other_to <= one_from, "two runs of one concurrency group went at once"
        for run_id in (chain, second, child.run_id):
            assert happened(instance, run_id, "PIPELINE_ENQUEUED", "PIPELINE_STARTING") == [1, 1], "all pass the queue"
        steps = instance.all_logs(child.run_id, of_type=dg.DagsterEventType.STEP_START)
        began = {entry.step_key for entry in steps}
        assert began & set(DAILY_FULL) == set(DAILY_FULL) - before, "what was done is not done again"
        assert instance.event_log_storage.get_concurrency_info(NORTHPASS_POOL).active_slot_count == 0
        refuse_other_ways_from_a_terminal(production.commands, instance)
    same_as_undisturbed(production, quick_folder)


def refuse_other_ways_from_a_terminal(commands: Commands, instance: dg.DagsterInstance) -> None:
    """What a terminal asks for goes through the daemon, unless the terminal's settings are others."""
    handed = commands.run("run", "cleanup")
    assert handed.returncode == 0, handed.stdout + handed.stderr
    assert "Dagster's daemon runs it" in handed.stdout
    here = commands.run("run", "cleanup", LMS_PUSH_DRY_RUN="1")
    assert here.returncode == 0, here.stdout + here.stderr
    assert "other settings than this terminal" in here.stdout, "a dry run stays a dry run"
    runs = instance.get_runs(dg.RunsFilter(job_name="cleanup", tags=SHOWN_BY_THE_JOBS_PAGE))
    assert [STARTED_BY_THE_DAEMON in run.tags for run in runs] == [False, True]


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
