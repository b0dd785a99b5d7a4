"""A chain on two Celery workers that share no folder, only MariaDB and Redis, as two machines do."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import dagster as dg
import pytest

from lms_assets.console.running.run import EXIT_CODES
from lms_assets.sandbox.config import SandboxConfig
from lms_assets.sandbox.server.server import SandboxHandle, running_sandbox
from lms_assets.warehouse.bookkeeping.chain_log import ChainRow, latest_chain
from lms_assets_tests.architecture import source
from lms_assets_tests.harness.agreement import differences
from lms_assets_tests.harness.chain import NOW, ChainHarness
from lms_assets_tests.harness.commands import Commands, kill_all, wait_until
from lms_assets_tests.harness.mariadb import MariaDbServer
from lms_assets_tests.harness.redis import running_redis
from lms_assets_tests.harness.waits import LONGEST_SECONDS, comes_about

pytestmark = [pytest.mark.slow, pytest.mark.long]

RATE = 20
CONFIG = SandboxConfig(scale=0.005, now=NOW, northpass_rps=RATE, impartner_rps=RATE, latency_ms=60)
CELERY = str(Path(sys.executable).with_name("celery"))
# One of each tier, none of which a run before has completed: what a worker works on when it is killed.
# The chain goes on without a push, and has nothing else to do after it.
KILLED_IN = {"contacts": "failed", "users": "failed", "enrollments": "failed", "pushed_partner_cert_counts": "partial"}


class Machine(Commands):
    """A home of its own; Dagster's storage, the warehouse and Redis are those of all."""

    def __init__(self, name: str, folder: Path, sandbox: SandboxHandle, shared: dict[str, str], url: str) -> None:
        super().__init__(folder / name, sandbox, url)
        self.name = name
        shutil.copyfile(source.ROOT / "dagster.yaml", self.home / "dagster.yaml")
        rates = {f"{vendor}_REQUESTS_PER_SECOND": str(RATE) for vendor in ("NORTHPASS", "IMPARTNER")}
        self.environment |= {**shared, **rates, "LMS_EXECUTOR": "celery"}
        self.worker: subprocess.Popen[bytes] | None = None

    def work(self) -> None:
        """Start its worker and wait until it takes tasks."""
        words = (
            "-A",
            "lms_assets.celery_worker",
            "worker",
            "-l",
            "INFO",
            "--concurrency",
            "2",
            "-n",
            f"{self.name}@%h",
        )
        log = self.folder / "started.log"
        before = log.stat().st_size if log.exists() else 0
        self.worker = self.start(*words, program=CELERY)
        assert wait_until(lambda: b" ready." in log.read_bytes()[before:], self.worker), log.read_text()

    def end(self) -> None:
        """End its worker in good order."""
        if self.worker is not None and self.worker.poll() is None:
            os.killpg(self.worker.pid, signal.SIGTERM)
            self.worker.wait(LONGEST_SECONDS)


class Machines:
    """One that runs are started on, and two workers."""

    def __init__(self, folder: Path, sandbox: SandboxHandle, redis: str, dagster_url: str, url: str) -> None:
        parts = urlsplit(dagster_url)
        values = (parts.hostname, parts.port, parts.path.strip("/"), parts.username, parts.password)
        names = ("HOST", "PORT", "DB", "USERNAME", "PASSWORD")
        shared = {f"DAGSTER_MYSQL_{name}": str(value) for name, value in zip(names, values, strict=True)}
        shared["LMS_REDIS_URL"] = redis
        self.sandbox = sandbox
        self.office, self.one, self.two = (
            Machine(name, folder, sandbox, shared, url) for name in ("office", "one", "two")
        )
        self.harness = ChainHarness(folder, sandbox, url)

    @property
    def done(self) -> set[str]:
        """The steps that the last chain has completed; none before there is a chain."""
        with self.harness.warehouse.read() as connection:
            row = latest_chain(connection, "daily_full")
        return {step["step"] for step in row.steps if step["status"] == "completed"} if row else set()

    @property
    def chain(self) -> ChainRow:
        """The row of the last chain."""
        with self.harness.warehouse.read() as connection:
            row = latest_chain(connection, "daily_full")
        assert row is not None
        return row

    def working_on(self, instance: dg.DagsterInstance, step: str, before: set[str]) -> str | None:
        """Which machine's worker has begun this step of the run that was not there before."""
        (run,) = [each for each in instance.get_runs(limit=1) if each.run_id not in before] or (None,)
        entries = instance.all_logs(run.run_id) if run else []
        started = dg.DagsterEventType.STEP_START
        if not any(each.step_key == step and each.dagster_event_type == started for each in entries):
            return None
        assert run is not None
        return next(iter(self.workers_of(instance, run.run_id, step)), None)

    def workers_of(self, instance: dg.DagsterInstance, run_id: str, step: str | None = None) -> set[str]:
        """The machines whose workers had steps of a run, or one step."""
        return {
            entry.dagster_event.engine_event_data.metadata["Celery worker"].text.partition("@")[0]
            for entry in instance.all_logs(run_id)
            if entry.dagster_event is not None
            and entry.dagster_event.event_type_value == "ENGINE_EVENT"
            and "Celery worker" in entry.dagster_event.engine_event_data.metadata
            and step in (None, entry.step_key)
        }

    def must_be_right(self) -> None:
        """The chain is whole, and every count is the oracle's."""
        chain = self.chain
        assert chain.status == "completed", chain.error_message
        assert differences(self.harness, at=chain.as_of) == []

    def must_have_kept_the_rate(self, *, killed: int = 0) -> dict[str, int]:
        """No second had more requests than configured, and none was refused; gives the busiest second of each.

        A worker that is killed between sending a request and noting it leaves one too many for that second.
        """
        stats = self.sandbox.stats()
        assert sum(stats[name]["throttled"] for name in ("northpass", "impartner")) <= killed
        most = {name: stats[name]["most_in_one_second"] for name in ("northpass", "impartner")}
        assert max(most.values()) <= RATE + (killed > 0)
        return most


@pytest.fixture
def machines(mariadb: MariaDbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machines]:
    with ExitStack() as stack:
        sandbox = stack.enter_context(running_sandbox(CONFIG))
        redis = stack.enter_context(running_redis())
        urls = [stack.enter_context(mariadb.fresh_database(name)) for name in ("machines_dagster", "machines_portal")]
        made = Machines(tmp_path, sandbox, redis, *urls)
        stack.callback(made.harness.close)
        for name, value in made.office.environment.items():
            if name.startswith("DAGSTER_"):
                monkeypatch.setenv(name, value)
        for each in (made.one, made.two):
            stack.callback(each.end)
            each.work()
        yield made


def test_a_chain_and_an_incremental_run_at_once_keep_the_rate_and_count_right(machines: Machines):
    chain = machines.office.start("run", "daily_full")
    with dg.DagsterInstance.from_config(str(machines.office.home)) as instance:
        assert wait_until(lambda: "contacts" in machines.done, chain), "leads need the partners"
        (run,) = instance.get_runs(limit=1)
        beside = machines.two.run("run", "leads_incremental")
        assert chain.wait(LONGEST_SECONDS) == 0, (machines.office.folder / "started.log").read_text()[-3000:]
        assert beside.returncode == 0, beside.stdout + beside.stderr
        assert machines.workers_of(instance, run.run_id) == {"one", "two"}
    machines.must_be_right()
    assert machines.must_have_kept_the_rate()["northpass"] > RATE / 2, "both worked side by side"
    for each in (machines.office, machines.one, machines.two):
        assert not (each.home / "limits").exists(), "the limit is not this machine's"
        assert not (each.home / "run_locks").exists()


def test_a_worker_killed_in_any_tier_fails_the_run_and_the_chain_is_resumed(machines: Machines):
    resume: tuple[str, ...] = ()
    # Else the push could be over before anybody sees that it began.
    machines.sandbox.faults.add("slow", "PATCH /Account", seconds=10)
    with dg.DagsterInstance.from_config(str(machines.office.home)) as instance:
        for step, status in KILLED_IN.items():
            before = {run.run_id for run in instance.get_runs()}
            chain = machines.office.start("run", "daily_full", *resume)
            began: list[str] = []

            def begun(step: str = step, began: list[str] = began, before: set[str] = before) -> bool:
                began[:] = filter(None, [machines.working_on(instance, step, before)])
                return bool(began)

            assert wait_until(begun, chain), (machines.office.folder / "started.log").read_text()[-3000:]
            (killed,) = (each for each in (machines.one, machines.two) if each.name == began[0])
            assert killed.worker is not None
            kill_all(killed.worker)
            assert chain.wait(LONGEST_SECONDS) == EXIT_CODES[status], step
            assert comes_about(lambda status=status: machines.chain.status == status)
            assert f"{step}: " in str(machines.chain.error_message)
            assert "the worker of this step is gone" in str(machines.chain.error_message)
            killed.work()
            resume = ("--resume",)
    machines.sandbox.faults.reset()
    final = machines.office.run("run", "daily_full", "--resume")
    assert final.returncode == 0, final.stdout + final.stderr
    machines.must_be_right()
    machines.must_have_kept_the_rate(killed=len(KILLED_IN))
