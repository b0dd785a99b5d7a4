"""The chain against a vendor state that does not change, and against the oracle's reading of it."""

from __future__ import annotations

from lms_assets_tests.harness.agreement import differences
from lms_assets_tests.harness.chain import ChainHarness


def test_the_first_chain_fills_portal_and_crm_with_what_the_oracle_counts(harness: ChainHarness) -> None:
    result = harness.run()
    assert result.success, result.errors
    assert differences(harness) == []


def test_a_second_chain_writes_and_sends_nothing(harness: ChainHarness) -> None:
    assert harness.run().success
    before = harness.tables()
    harness.sandbox.reset_stats()
    again = harness.run()
    assert again.success, again.errors
    assert harness.tables() == before
    assert "PATCH /Account" not in harness.sandbox.stats()["impartner"]["by_endpoint"]
    written = {(each.get("created"), each.get("updated")) for each in again.metadata.values()}
    assert written == {(0, 0)}


def test_counts_follow_the_clock_when_nothing_else_changes(synced: ChainHarness) -> None:
    """Certificates run out between two chains; the first counting was at another instant."""
    assert synced.run().success
    assert differences(synced) == []


def test_an_incremental_run_after_a_full_one_changes_no_record(synced: ChainHarness) -> None:
    assert synced.run("enrollments_incremental").success
    assert synced.run("push_to_impartner").success
    assert differences(synced) == []
