"""No report on stale or failed data, unless somebody says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lms_assets.domain.operations.reports import may_send
from lms_assets.domain.safety.overrides import Overrides

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
RELEASED = Overrides(frozenset({"stale_reports"}))
FRESH = NOW - timedelta(hours=6)


def test_a_completed_chain_with_fresh_counts_lets_reports_out_without_a_notice():
    verdict = may_send("completed", FRESH, NOW)

    assert verdict.may_send
    assert verdict.banner is None


def test_a_partial_chain_lets_them_out_with_a_notice_at_the_top():
    verdict = may_send("partial", FRESH, NOW)

    assert verdict.may_send
    assert verdict.banner


@pytest.mark.parametrize(
    ("status", "as_of", "reason"),
    [
        ("failed", FRESH, "failed"),
        ("running", FRESH, "running"),
        ("completed", NOW - timedelta(hours=36, seconds=1), "stale"),
        ("partial", NOW - timedelta(hours=40), "stale"),
    ],
)
def test_failed_running_and_stale_data_are_blocked_and_can_be_released_by_hand(status, as_of, reason):
    held = may_send(status, as_of, NOW)
    released = may_send(status, as_of, NOW, overrides=RELEASED)

    assert (held.may_send, held.reason) == (False, reason)
    assert "--allow stale_reports" in held.text
    assert held.why
    assert "lms-assets run weekly_reports" in held.remedy
    assert held.facts == {"reports_blocked": held.why, "what_to_do": held.remedy}
    assert released.may_send
    assert released.banner


def test_what_held_reports_back_and_what_to_do_are_told_apart():
    stale = may_send("completed", NOW - timedelta(hours=40), NOW)
    assert stale.why == "the counts are 40 hours old, more than 36."
    assert stale.remedy.startswith("lms-assets status says more")
    assert may_send("running", FRESH, NOW).remedy.startswith("Wait for the chain's end, lms-assets run weekly_reports.")


def test_counts_of_exactly_36_hours_are_not_stale():
    assert may_send("completed", NOW - timedelta(hours=36), NOW).may_send


def test_without_any_counts_there_is_nothing_to_release():
    held = may_send(None, None, NOW, overrides=RELEASED)
    assert not held.may_send
    assert "--allow" not in held.text
