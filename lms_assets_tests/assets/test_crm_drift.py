"""Somebody changes our counts in the CRM: the next night finds it, and the push sets it right or leaves it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lms_assets.checks.base import Look
from lms_assets.checks.tier_1_foundation import crm_shows_our_counts
from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.check_results import CheckResult
from lms_assets_tests.harness.chain import ChainHarness

NPCU, GROUP = "Total_NPCU__cf", "LMS_Group_Name__cf"
pytestmark = pytest.mark.slow


def some_account(synced: ChainHarness, name: str = NPCU) -> tuple[int, Any]:
    """The last account with a confirmed value of this field: no edge case, so that its counts stay."""
    active = {row["impartner_id"] for row in synced.rows("partners") if row["is_active"]}
    pushed = {row["impartner_id"]: row["fields"].get(name) for row in synced.rows("pushed_partner_counts")}
    return max((account, value) for account, value in pushed.items() if account in active and value not in (None, ""))


def shown(synced: ChainHarness, account: int) -> Any:
    return synced.sandbox.sandbox.vendor_state.accounts[account].total_npcu


def verdict(synced: ChainHarness, rules: Rules | None = None) -> CheckResult:
    with synced.warehouse.read() as connection:
        return crm_shows_our_counts(Look(connection, rules or Rules(), synced.now))


def list_accounts(synced: ChainHarness, **sandbox: Any) -> CheckResult:
    """The nightly listing alone, an hour later; what it finds."""
    synced.sandbox.sandbox.config = replace(synced.sandbox.sandbox.config, **sandbox)
    synced.advance(hours=1)
    assert synced.run(assets=("partners",), alone=True).success
    return verdict(synced)


def test_a_hand_edit_is_found_the_next_night_and_set_right_by_its_push(synced: ChainHarness):
    account, ours = some_account(synced)
    synced.sandbox.mutate("set_account", account=account, fields={NPCU: ours + 7})
    night = synced.advance(hours=1)
    result = synced.run()
    assert result.checks["crm_shows_our_counts"] is False
    assert shown(synced, account) == ours
    sent = [row for row in synced.rows("partner_push_log") if row["sent_at"] == night]
    answer = {row["id"]: row["outcome"] for row in synced.rows("partner_push_answers")}
    assert [(row["impartner_id"], row["field"], row["last_confirmed"], row["crm_showed"], row["sent"],
             answer[row["id"]]) for row in sent if row["impartner_id"] == account] == [
        (account, NPCU, str(ours), str(ours + 7), str(ours), "confirmed")]  # fmt: skip
    assert verdict(synced).passed, "the push came after the listing"
    assert list_accounts(synced).passed


def test_with_report_it_is_named_with_its_first_time_and_stays(synced: ChainHarness, tmp_path: Path):
    account, ours = some_account(synced)
    (tmp_path / "rules.toml").write_text('crm_drift = "report"\n', encoding="utf-8")
    synced.sandbox.mutate("set_account", account=account, fields={NPCU: ours + 7})
    first = synced.now
    assert synced.run(assets=("partners",), alone=True).success
    synced.advance(hours=1)
    result = synced.run(LMS_RULES_FILE=str(tmp_path / "rules.toml"))
    assert result.checks["crm_shows_our_counts"] is False
    assert shown(synced, account) == ours + 7
    found = verdict(synced, Rules(crm_drift="report"))
    (name,) = [row["account_name"] for row in synced.rows("partners") if row["impartner_id"] == account]
    assert found.sample == (
        f"account {account} ({name}), {NPCU}: ours {ours}, the CRM shows {float(ours + 7)}, "
        f"since {first:%Y-%m-%d %H:%M} UTC",
    )
    assert "push retry" in str(found.remedy)


def test_text_rounding_and_hidden_fields_are_no_drift(synced: ChainHarness):
    assert list_accounts(synced, crm_numbers="text").passed
    assert list_accounts(synced, crm_numbers="rounded").passed
    hidden = list_accounts(synced, crm_numbers="number", hidden_account_fields=(NPCU,))
    assert (hidden.passed, hidden.count) == (False, 0)
    assert f"not compared: {NPCU}," in hidden.description
    assert (
        synced.run("push_to_impartner", assets=("pushed_partner_cert_counts",), alone=True).metadata[
            "pushed_partner_cert_counts"
        ]["sent"]
        == 0
    )
    account, name = some_account(synced, GROUP)
    synced.sandbox.mutate("set_account", account=account, fields={GROUP: None})
    found = list_accounts(synced, hidden_account_fields=())
    assert [each for each in found.sample if "shows nothing" in each] == list(found.sample)
    assert (found.count, name in found.sample[0]) == (1, True)


def test_a_crm_that_refuses_our_fields_costs_the_comparison_and_not_the_chain(synced: ChainHarness):
    synced.sandbox.mutate("set_account", account=some_account(synced)[0], fields={NPCU: 999})
    with synced.warehouse.transaction() as connection:
        connection.exec_driver_sql("UPDATE pushed_partner_counts SET fields = json_set(fields, '$.Unknown__cf', 1)")
    rules = 'crm_group_name_field = "Unknown__cf"\n'
    (synced.folder / "rules.toml").write_text(rules, encoding="utf-8")
    synced.advance(hours=1)
    result = synced.run(assets=("partners",), alone=True, LMS_RULES_FILE=str(synced.folder / "rules.toml"))
    assert result.success
    assert result.metadata["partners"]["pushed_fields_compared"] == []
