"""Cleanup: what is older than 30 days goes; what the work and the UI still need stays."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from lms_assets.warehouse.bookkeeping.portal_tasks import begin_run
from lms_assets_tests.automation.rig import WatchedRig, watched_rig


@pytest.fixture
def rig(quick_folder: Path) -> Iterator[WatchedRig]:
    """Dagster's own storage, as it lies on disk: that is what is cleaned up here."""
    with watched_rig(quick_folder, events_on_disk=True) as made:
        yield made


def test_old_logs_and_runs_go_and_every_last_materialisation_stays(rig: WatchedRig):
    for _ in range(2):
        assert rig.run().success
    assert rig.run("enrollments_incremental").success
    weeks = rig.instance.get_materialized_partitions(dg.AssetKey("enrollments"))
    memory = rig.rows("pushed_partner_counts")
    data = rig.tables()
    rig.advance(seconds=(datetime.now(UTC) - rig.now + timedelta(days=31)).total_seconds())
    assert rig.run("cleanup").success
    jobs = [run.job_name for run in rig.instance.get_runs()]
    assert sorted(jobs) == ["cleanup", "daily_full", "enrollments_incremental"]
    assert rig.instance.get_materialized_partitions(dg.AssetKey("enrollments")) == weeks
    assert all(rig.instance.get_latest_materialization_event(dg.AssetKey(key)) for key in ("users", "partners"))
    assert rig.rows("pushed_partner_counts") == memory
    assert rig.tables() == data
    assert {row["sync_type"] for row in rig.rows("sync_logs")} >= {"users", "enrollments", "sync_to_impartner"}
    assert len([row for row in rig.rows("sync_logs") if row["sync_type"] == "users"]) == 1
    assert len(rig.rows("task_chain_logs")) == 1


def test_what_is_younger_than_thirty_days_stays(rig: WatchedRig):
    assert rig.run().success
    begun = datetime.now(UTC)
    rig.warehouse.in_transaction(lambda c: begin_run(c, "users", "run", job="daily_full", at=begun))
    before = {name: len(rig.rows(name)) for name in ("sync_logs", "task_run_history", "task_chain_logs")}
    rig.advance(seconds=(datetime.now(UTC) - rig.now + timedelta(days=29)).total_seconds())
    assert rig.run("cleanup").success
    assert len(rig.instance.get_runs()) == 2
    for name, count in before.items():
        assert len(rig.rows(name)) >= count


def test_leftovers_of_removed_runs_leave_the_disk(rig: WatchedRig):
    first = rig.run("cleanup").run_id
    home = rig.folder / "home"
    (home / "storage" / first / "compute_logs").mkdir(parents=True, exist_ok=True)
    rig.advance(seconds=(datetime.now(UTC) - rig.now + timedelta(days=31)).total_seconds())
    assert rig.run("cleanup").success
    assert not (home / "storage" / first).exists()
    assert not list((home / "history" / "runs").glob(f"{first}*"))
