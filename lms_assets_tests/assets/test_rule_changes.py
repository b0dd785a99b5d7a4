"""A fall that changed rules make is not held against the data, and one that the data make still is."""

from __future__ import annotations

from typing import Any

import pytest

from lms_assets_tests.harness.chain import ChainHarness, ChainResult

pytestmark = pytest.mark.slow


def plausible(result: ChainResult) -> tuple[bool, str, dict[str, Any]]:
    """Whether the counts are plausible, what the check says, and its figures."""
    (found,) = (
        each.event_specific_data
        for each in result.events
        if each.event_type_value == "ASSET_CHECK_EVALUATION"
        and each.event_specific_data.check_name == "counts_are_plausible"
    )
    return found.passed, found.description, {name: each.value for name, each in found.metadata.items()}


def total(harness: ChainHarness) -> int:
    return sum(row["total_npcu"] for row in harness.rows("partners"))


def test_what_rules_and_data_move_is_told_apart(synced: ChainHarness) -> None:
    before = total(synced)
    rules = synced.folder / "rules.toml"
    rules.write_text("certification_months = 1\n", encoding="utf-8")
    # Without an expiry of their own, so that the rule decides.
    with synced.warehouse.transaction() as connection:
        connection.exec_driver_sql("UPDATE lms_enrollments SET expires_at = NULL")
    counted = synced.run(assets=("partner_certifications", "partner_cert_counts"), LMS_RULES_FILE=str(rules))
    assert counted.success, counted.errors
    after = total(synced)
    assert after < before * 0.8
    passed, said, figures = plausible(counted)
    assert passed
    assert figures["by_rules"] + figures["by_data"] == after - before
    assert figures["by_rules"] < -0.2 * before
    assert f"Total NPCU: {after:,}, {before:,} before; {figures['by_rules']:+,} by changed rules" in said
    moved = counted.metadata["partner_cert_counts"]["moved_most"]
    assert all("by_rules" in row.data for row in moved.records)

    with synced.warehouse.transaction() as connection:
        connection.exec_driver_sql("UPDATE lms_enrollments SET status = 'in_progress'")
    emptied = synced.run("push_to_impartner", LMS_RULES_FILE=str(rules))
    assert "pushed_partner_cert_counts" not in emptied.metadata
    passed, said, _ = plausible(emptied)
    assert not passed
    assert f"Total NPCU: 0, {before:,} before" in said


def test_a_push_under_the_new_rules_makes_them_the_rules_to_compare_with(synced: ChainHarness) -> None:
    rules = synced.folder / "rules.toml"
    rules.write_text("certification_months = 23\n", encoding="utf-8")
    pushed = synced.run("push_to_impartner", LMS_RULES_FILE=str(rules))
    assert pushed.success, pushed.errors
    assert "counts_equal_a_recount" not in pushed.red
    again = synced.run("push_to_impartner", LMS_RULES_FILE=str(rules))
    assert "by_rules" not in plausible(again)[2]
