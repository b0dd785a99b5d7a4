"""The chain against a world that does not change, and against the oracle's reading of it."""

from __future__ import annotations

from lms_assets_tests.harness.agreement import differences
from lms_assets_tests.harness.chain import ChainRig


def test_the_first_chain_fills_portal_and_crm_with_what_the_oracle_counts(rig: ChainRig) -> None:
    result = rig.run()
    assert result.success, result.errors
    assert differences(rig) == []


def test_a_second_chain_writes_and_sends_nothing(rig: ChainRig) -> None:
    assert rig.run().success
    before = rig.tables()
    rig.sandbox.reset_stats()
    again = rig.run()
    assert again.success, again.errors
    assert rig.tables() == before
    assert "PATCH /Account" not in rig.sandbox.stats()["impartner"]["by_endpoint"]
    written = {(each.get("created"), each.get("updated")) for each in again.metadata.values()}
    assert written == {(0, 0)}


def test_counts_follow_the_clock_when_nothing_else_changes(synced: ChainRig) -> None:
    """Certificates run out between two chains; the first counting was at another instant."""
    assert synced.run().success
    assert differences(synced) == []


def test_an_incremental_run_after_a_full_one_changes_no_record(synced: ChainRig) -> None:
    assert synced.run("enrollments_incremental").success
    assert synced.run("push_to_impartner").success
    assert differences(synced) == []
