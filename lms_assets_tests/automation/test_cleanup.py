"""Cleanup: what is older than 30 days goes; what the work and the UI still need stays."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from lms_assets.runs.tags import trailing_days_tags
from lms_assets.warehouse.bookkeeping.portal_tasks import begin_run
from lms_assets_tests.automation.daemon_harness import DaemonHarness, watched_harness


@pytest.fixture
def harness(quick_folder: Path) -> Iterator[DaemonHarness]:
    """Dagster's own storage, as it lies on disk: that is what is cleaned up here."""
    with watched_harness(quick_folder, events_on_disk=True) as made:
        yield made


def results_of_checks(harness: DaemonHarness) -> list[tuple[str, str]]:
    """The asset and the name of every stored result of a check."""
    with sqlite3.connect(harness.folder / "home" / "history" / "runs" / "index.db") as storage:
        return storage.execute("SELECT asset_key, check_name FROM asset_check_executions").fetchall()


def test_old_logs_and_runs_go_and_every_last_materialisation_stays(harness: DaemonHarness):
    for _ in range(2):
        assert harness.run(tags=trailing_days_tags(harness.now, 50)).success
    assert harness.run("enrollments_incremental").success
    weeks = harness.instance.get_materialized_partitions(dg.AssetKey("enrollments"))
    assert len(weeks) > 6
    memory = harness.rows("pushed_partner_counts")
    data = harness.tables()
    checks, key = results_of_checks(harness), dg.AssetCheckKey(dg.AssetKey("partners"), "partners_are_present")
    harness.advance(seconds=(datetime.now(UTC) - harness.now + timedelta(days=31)).total_seconds())
    assert harness.run("cleanup").success
    jobs = [run.job_name for run in harness.instance.get_runs()]
    assert sorted(jobs) == ["cleanup", "daily_full", "enrollments_incremental"]
    assert harness.instance.get_materialized_partitions(dg.AssetKey("enrollments")) == weeks
    assert all(harness.instance.get_latest_materialization_event(dg.AssetKey(key)) for key in ("users", "partners"))
    assert harness.rows("pushed_partner_counts") == memory
    assert harness.tables() == data
    assert {row["sync_type"] for row in harness.rows("sync_logs")} >= {"users", "enrollments", "sync_to_impartner"}
    assert len([row for row in harness.rows("sync_logs") if row["sync_type"] == "users"]) == 1
    assert len(harness.rows("task_chain_logs")) == 1
    # Both chains and the short run evaluated them; the last result of each stays.
    assert len(results_of_checks(harness)) == len(set(results_of_checks(harness))) == len(set(checks)) < len(checks)
    assert harness.instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key].status.value


def test_what_is_younger_than_thirty_days_stays(harness: DaemonHarness):
    assert harness.run(assets=("courses",)).success
    begun = datetime.now(UTC)
    harness.warehouse.in_transaction(lambda c: begin_run(c, "users", "run", job="daily_full", at=begun))
    before = {name: len(harness.rows(name)) for name in ("sync_logs", "task_run_history", "task_chain_logs")}
    harness.advance(seconds=(datetime.now(UTC) - harness.now + timedelta(days=29)).total_seconds())
    assert harness.run("cleanup").success
    assert len(harness.instance.get_runs()) == 2
    for name, count in before.items():
        assert len(harness.rows(name)) >= count


def test_leftovers_of_removed_runs_leave_the_disk(harness: DaemonHarness):
    first = harness.run("cleanup").run_id
    home = harness.folder / "home"
    (home / "storage" / first / "compute_logs").mkdir(parents=True, exist_ok=True)
    harness.advance(seconds=(datetime.now(UTC) - harness.now + timedelta(days=31)).total_seconds())
    assert harness.run("cleanup").success
    assert not (home / "storage" / first).exists()
    assert not list((home / "history" / "runs").glob(f"{first}*"))
