"""A partial chain: its run fails, so that the UI can go on with it, and going on leaves nothing on an old state."""

from __future__ import annotations

import dagster as dg

from lms_assets.assets.tier_3_enrollments.people_to_read import current_partner_users
from lms_assets.automation.chain_log import ROOT_RUN_TAG
from lms_assets.checks.specs import DEGRADING
from lms_assets_tests.automation.daemon_harness import DaemonHarness, one_row
from lms_assets_tests.harness.chain import ChainResult

RESTS_ON_MEMBERSHIPS = {
    "memberships",
    "enrollments",
    "partner_certifications",
    "partner_cert_counts",
    "pushed_partner_cert_counts",
}


def from_asset_failure(harness: DaemonHarness, run: ChainResult) -> tuple[str, ...]:
    """The assets that the UI's "Re-execute, From asset failure" runs."""
    stored = harness.instance.get_run_by_id(run.run_id)
    assert stored is not None
    assert stored.status == dg.DagsterRunStatus.FAILURE, "the UI offers it for failed runs only"
    assert stored.execution_plan_snapshot_id is not None
    snapshot = harness.instance.get_execution_plan_snapshot(stored.execution_plan_snapshot_id)
    assets, _ = harness.instance.run_domain.get_keys_to_reexecute(run.run_id, snapshot)
    return tuple(sorted(key.to_user_string() for key in assets))


def test_going_on_reads_the_memberships_and_all_that_rests_on_them(harness: DaemonHarness):
    harness.be_after("daily_full")
    crm_deactivations = [each for each in harness.rows("sync_logs") if each["sync_type"] == "crm_deactivations"]
    assert [(each["status"], each["api_calls_made"]) for each in crm_deactivations] == [("completed", 0)]
    harness.advance(days=1)
    harness.sandbox.faults.add("forbidden", "GET /groups/{id}/memberships")
    partial = harness.run()
    row = one_row(harness, "task_chain_logs")
    assert (row["status"], row["run_id"]) == ("partial", partial.run_id)
    assert not any(each["step"] == "chain_is_whole" for each in row["steps_completed"])
    assert partial.failed == (), "everything that could be done was done"
    assert "From asset failure" in (partial.partial or "")
    left = from_asset_failure(harness, partial)
    assert set(left) == RESTS_ON_MEMBERSHIPS
    harness.sandbox.faults.reset()
    again = harness.run(assets=left, tags={ROOT_RUN_TAG: partial.run_id})
    assert (again.success, again.partial) == (True, None)
    assert not again.red & (DEGRADING | {f"{asset}_are_up_to_date" for asset in left})
    row = one_row(harness, "task_chain_logs")
    assert (row["status"], row["run_id"], row["error_message"]) == ("completed", partial.run_id, None)
    assert one_row(harness, "scheduled_tasks", task_type="daily_sync_chain")["last_status"] == "success"


def test_a_push_that_was_not_confirmed_is_sent_again_and_nothing_else(harness: DaemonHarness):
    harness.be_after("daily_full")
    account = next(row["impartner_id"] for row in harness.rows("partners") if row["is_active"] and row["total_npcu"])
    harness.sandbox.mutate("reject_account", account=account)
    with harness.warehouse.transaction() as connection:
        connection.exec_driver_sql(f"DELETE FROM pushed_partner_counts WHERE impartner_id = {account}")
    harness.advance(days=1)
    partial = harness.run()
    assert one_row(harness, "task_chain_logs")["status"] == "partial"
    assert from_asset_failure(harness, partial) == ("pushed_partner_cert_counts",)


def test_the_chain_with_the_latest_week_alone_reads_everybody(harness: DaemonHarness):
    """As the UI launches it with "Latest"."""
    harness.be_after("daily_full")
    week = harness.now.date().isoformat()
    harness.advance(days=1)
    harness.sandbox.reset_stats()
    chain = harness.run(tags={"dagster/asset_partition_range_start": week, "dagster/asset_partition_range_end": week})
    assert chain.success, chain.errors
    read = {call["path"].rpartition("/")[2] for call in harness.sandbox.calls() if "/transcripts/" in call["path"]}
    with harness.warehouse.read() as connection:
        assert current_partner_users(connection) <= read
