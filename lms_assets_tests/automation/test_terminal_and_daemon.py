"""What is started from a terminal beside other runs: it takes turns, leaves its record, and goes through the daemon."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from lms_assets.console.running import runner
from lms_assets.console.running.runner import RunOrder, hand_over
from lms_assets.lineage import DAILY_FULL
from lms_assets.run_tags import AS_OF_TAG
from lms_assets.runs.active import WILL_RETRY_TAG, Served, served_location
from lms_assets.runs.tags import MAX_RETRIES_TAG, RETRIED, full_range_tags
from lms_assets.sandbox.config import SandboxConfig
from lms_assets.sandbox.server.server import SandboxHandle, running_sandbox
from lms_assets.warehouse.bookkeeping.chain_log import ChainRow, latest_chain
from lms_assets.warehouse.engine import Warehouse
from lms_assets_tests.architecture import source
from lms_assets_tests.automation.daemon_harness import DaemonHarness
from lms_assets_tests.harness.chain import NOW
from lms_assets_tests.harness.commands import Commands, wait_until
from lms_assets_tests.harness.queue import queue_of
from lms_assets_tests.harness.waits import LONGEST_SECONDS

CONFIG = SandboxConfig(scale=0.005, now=NOW, northpass_rps=0, impartner_rps=0, latency_ms=60)
DAEMON = str(Path(sys.executable).with_name("dagster-daemon"))
LABEL = {".dagster/repository": "__repository__@lms_assets"}
STARTED_BY_THE_DAEMON = ".dagster/grpc_info"


@pytest.fixture
def sandbox() -> Iterator[SandboxHandle]:
    with running_sandbox(CONFIG) as running:
        yield running


@pytest.fixture
def commands(sandbox: SandboxHandle, quick_folder: Path) -> Commands:
    made = Commands(quick_folder / "place", sandbox, executor="in_process")
    made.make_tables()
    return made


def chain(commands: Commands) -> ChainRow | None:
    warehouse = Warehouse(commands.url)
    with warehouse.read() as connection:
        row = latest_chain(connection, "daily_full")
    warehouse.close()
    return row


def runs_on_the_page_of(commands: Commands, job: str) -> list[dg.RunRecord]:
    with dg.DagsterInstance.from_config(str(commands.home)) as instance:
        return list(instance.get_run_records(dg.RunsFilter(job_name=job, tags=LABEL)))


def certifications_before(commands: Commands, count: int) -> None:
    """Make the check of course_npcu that stops the chain compare with this many, which it fails at 5000."""
    with sqlite3.connect(commands.url.removeprefix("sqlite:///")) as connection:
        connection.execute(
            "INSERT OR REPLACE INTO sync_state (name, value, updated_at) VALUES"
            " ('certifications_when_last_counted', ?, '2026-03-01 00:00:00')",
            (str(count),),
        )


def queued_chain(commands: Commands) -> str:
    """The id of a chain in the queue, as the schedule puts it there, but that Dagster tries it once more only."""
    now = datetime.now(UTC)
    with (
        dg.DagsterInstance.from_config(str(commands.home)) as instance,
        queue_of("lms_assets.definitions", "lms_assets", instance) as queue,
    ):
        return queue.submit("daily_full", {AS_OF_TAG: now.isoformat(), **full_range_tags(now), MAX_RETRIES_TAG: "1"})


def failed_for_good(commands: Commands) -> list[dg.RunRecord]:
    """The failed runs of the chain; none while one is under way or Dagster is about to begin another."""
    records = runs_on_the_page_of(commands, "daily_full")
    runs = [each.dagster_run for each in records]
    over = all(run.status == dg.DagsterRunStatus.FAILURE for run in runs)
    return records if over and runs and runs[0].tags.get(WILL_RETRY_TAG) == "false" else []


@pytest.mark.slow
def test_terminals_take_turns_and_leave_their_record_without_any_dagster_yaml(commands: Commands):
    (commands.home / "dagster.yaml").unlink()
    first = commands.start("run", "daily_full")
    assert wait_until(lambda: (row := chain(commands)) is not None and row.current_step is not None, first)
    refused = commands.run("run", "daily_full", "--no-wait")
    assert refused.returncode == 1, refused.stdout
    assert "daily_full was not started: daily_full is under way (run " in refused.stdout
    waited = commands.run("run", "push_to_impartner")
    assert waited.returncode == 0, waited.stdout + waited.stderr
    assert "Waits: daily_full is under way (run " in waited.stdout
    assert first.wait(LONGEST_SECONDS) == 0
    row = chain(commands)
    assert row is not None
    assert row.status == "completed"
    assert {step["step"]: step["status"] for step in row.steps} == dict.fromkeys(DAILY_FULL, "completed")
    (of_chain,), (of_push,) = (runs_on_the_page_of(commands, job) for job in ("daily_full", "push_to_impartner"))
    assert (of_push.start_time or 0) >= (of_chain.end_time or 0)
    assert not list(Path(commands.folder).glob("*.db-journal"))


@pytest.mark.slow
@pytest.mark.long
def test_a_chain_that_failed_for_good_is_resumed_by_the_daemon_as_its_last_state(commands: Commands):
    """In process: console/test_resume.py; a daemon that continues a chain: test_daemon_in_production.py."""
    daemon = commands.start("run", "-w", str(source.ROOT / "workspace.yaml"), program=DAEMON)
    try:
        with dg.DagsterInstance.from_config(str(commands.home)) as instance:
            assert wait_until(lambda: served_location(instance) is not None, daemon)
        certifications_before(commands, 5000)
        scheduled = queued_chain(commands)
        assert wait_until(lambda: len(failed_for_good(commands)) == 2, daemon), "again by itself, then no more"
        assert RETRIED[MAX_RETRIES_TAG] == "2", "in production once more"
        certifications_before(commands, 1)
        resumed = commands.run("run", "daily_full", "--resume")
        assert resumed.returncode == 0, resumed.stdout + resumed.stderr
        shown = [each.dagster_run for each in runs_on_the_page_of(commands, "daily_full")]
        assert [run.status.value for run in shown] == ["SUCCESS", "FAILURE", "FAILURE"]
        assert all(STARTED_BY_THE_DAEMON in run.tags for run in shown)
        assert shown[0].root_run_id == scheduled
        row = chain(commands)
        assert row is not None
        assert (row.run_id, row.status) == (scheduled, "completed")
    finally:
        os.killpg(daemon.pid, signal.SIGTERM)
        daemon.wait(LONGEST_SECONDS)


def test_a_run_that_no_daemon_takes_is_taken_back(harness: DaemonHarness, monkeypatch: pytest.MonkeyPatch):
    before = Served(None, "", datetime.now(UTC) - timedelta(hours=1))
    monkeypatch.setattr(runner, "served_location", lambda _: before)
    monkeypatch.setattr(runner, "LOOK_AGAIN_SECONDS", 0.01)
    assert hand_over(harness.instance, RunOrder("cleanup", {}), lambda _: None, before) is None
    (run,) = harness.instance.get_runs()
    assert (run.job_name, run.status) == ("cleanup", dg.DagsterRunStatus.CANCELED)
