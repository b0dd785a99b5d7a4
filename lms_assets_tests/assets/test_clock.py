"""A machine whose clock is wrong counts and pushes nothing."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lms_assets_tests.harness.agreement import differences
from lms_assets_tests.harness.chain import ChainHarness

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("shift", [-3 * 86_400, 2 * 86_400, 301 + 60])
def test_a_chain_stops_before_it_writes_anything(harness: ChainHarness, shift: float) -> None:
    harness.sandbox.mutate("shift_date", seconds=shift)
    result = harness.run()
    assert set(result.failed) == {"courses", "partners"}
    assert "This machine's clock is" in result.errors["courses"]
    assert not harness.rows("lms_courses")
    assert not harness.rows("partners")


def states_of_countings(harness: ChainHarness) -> list[dict[str, Any]]:
    """All but the note that the recount was made, which says nothing about any instant."""
    return [row for row in harness.rows("sync_state") if row["name"] != "partner_cert_counts_recounted"]


def test_the_push_alone_asks_for_the_time_before_it_counts(synced: ChainHarness) -> None:
    """Counting asks no vendor, and a push may be started alone."""
    synced.sandbox.mutate("shift_date", seconds=2 * 86_400)
    before = {number: account.total_npcu for number, account in synced.sandbox.vendor_state.accounts.items()}
    counted = states_of_countings(synced)
    result = synced.run("push_to_impartner", assets=("partner_certifications",))
    assert re.search(r"This machine's clock is (1 day, 23:59|2 days, 0:00):\d\d behind Impartner's", _error(result))
    alone = synced.run(assets=("pushed_partner_cert_counts",), alone=True)
    assert alone.failed == ("pushed_partner_cert_counts",)
    assert {number: account.total_npcu for number, account in synced.sandbox.vendor_state.accounts.items()} == before
    assert states_of_countings(synced) == counted


def test_four_minutes_do_not_matter_and_the_right_time_ends_it(harness: ChainHarness) -> None:
    harness.sandbox.mutate("shift_date", seconds=240)
    result = harness.run()
    assert result.success, result.errors
    assert differences(harness) == []


def _error(result: object) -> str:
    return "; ".join(result.errors.values())  # type: ignore[attr-defined]
