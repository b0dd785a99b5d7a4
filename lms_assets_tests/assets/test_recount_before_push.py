"""No count leaves that two methods do not agree on: the partner is withheld and named, and the others are pushed."""

from __future__ import annotations

from typing import Any

import pytest

from lms_assets.domain.counting import certifications
from lms_assets.warehouse.reading import recount_comparison
from lms_assets_tests.assets.queries import a_partner_with_points, sample_of
from lms_assets_tests.harness.agreement import differences
from lms_assets_tests.harness.chain import ChainHarness

pytestmark = pytest.mark.slow


def shown_total(harness: ChainHarness, account: int) -> Any:
    """What the CRM shows of an account."""
    return harness.sandbox.vendor_state.accounts[account].total_npcu


def test_a_stored_count_that_its_rows_do_not_give_is_not_pushed_and_the_others_are(synced: ChainHarness) -> None:
    """The push is started by itself, which bypasses every check before it."""
    wrong, other = [row for row in synced.rows("partners") if row["is_active"] and row["total_npcu"] > 1][:2]
    with synced.warehouse.transaction() as connection:
        connection.exec_driver_sql(f"UPDATE partners SET total_npcu = total_npcu + 3 WHERE id = {wrong['id']}")
        connection.exec_driver_sql("DELETE FROM pushed_partner_counts")
    synced.sandbox.mutate("set_account", account=other["impartner_id"], fields={"total_npcu": 99})
    pushed = synced.run(assets=("pushed_partner_cert_counts",), alone=True, allow=("first_push",))
    assert pushed.success, pushed.errors
    assert shown_total(synced, wrong["impartner_id"]) == wrong["total_npcu"]
    assert shown_total(synced, other["impartner_id"]) == other["total_npcu"]
    assert pushed.metadata["pushed_partner_cert_counts"]["partners_withheld"] == 1
    accounts = {row["impartner_id"] for row in synced.rows("pushed_partner_counts")}
    assert wrong["impartner_id"] not in accounts
    assert other["impartner_id"] in accounts

    synced.advance(minutes=1)
    healed = synced.run("push_to_impartner")
    assert (healed.success, healed.red & {"counts_equal_a_recount", "no_partner_is_withheld"}) == (True, set())
    assert wrong["impartner_id"] in {row["impartner_id"] for row in synced.rows("pushed_partner_counts")}
    assert differences(synced) == []


def test_a_wrong_rule_of_counting_is_noticed_and_the_rows_are_named(
    synced: ChainHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certifications, "is_held", lambda each, at, months: each.completed_at is not None)
    result = synced.run("push_to_impartner", allow=("fall:npcu",))
    assert result.success, result.errors
    assert {"counts_equal_a_recount", "no_partner_is_withheld"} <= result.red
    named = sample_of(result, "counts_equal_a_recount")
    assert all("two methods of counting disagree: " in line and "only in the count: person " in line for line in named)
    withheld = {int(line.split()[1].rstrip(":")) for line in named}
    for row in synced.rows("partners"):
        if row["id"] in withheld:
            assert f"total_npcu is stored as {row['total_npcu']:,} and recounted as " in next(
                line for line in named if line.startswith(f"partner {row['id']}:")
            )
            assert shown_total(synced, row["impartner_id"]) != row["total_npcu"]


def test_without_a_recount_nothing_is_pushed(synced: ChainHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    account = a_partner_with_points(synced)["impartner_id"]
    synced.sandbox.mutate("set_account", account=account, fields={"total_npcu": 99})
    with synced.warehouse.transaction() as connection:
        connection.exec_driver_sql(f"DELETE FROM pushed_partner_counts WHERE impartner_id = {account}")

    def broken(*_: Any, **__: Any) -> Any:
        raise ArithmeticError("it cannot be recounted")

    monkeypatch.setattr(recount_comparison, "recount", broken)
    checked = synced.run("push_to_impartner")
    assert checked.failed == ("partner_cert_counts_checks",)
    alone = synced.run(assets=("pushed_partner_cert_counts",), alone=True)
    assert alone.failed == ("pushed_partner_cert_counts",)
    assert "it cannot be recounted" in alone.errors["pushed_partner_cert_counts"]
    assert shown_total(synced, account) == 99
