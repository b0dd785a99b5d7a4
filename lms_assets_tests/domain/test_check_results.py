"""When a check is green, at its exact bounds, and what it says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lms_assets.domain.safety.check_results import CheckResult, at_least, no_sudden_fall, none_of, recent

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
TWO_DAYS = timedelta(hours=48)


def test_exactly_enough_is_enough():
    assert at_least(1_000, 1_000, "courses", "look") == CheckResult(True, "courses: 1,000", 1_000)
    too_few = at_least(999, 1_000, "courses", "look")
    assert too_few == CheckResult(False, "courses: 999; needed: at least 1,000", 999, remedy="look")


def test_nothing_wrong_is_green_and_anything_wrong_is_counted_sorted_and_sampled():
    assert none_of([], "odd rows", "look") == CheckResult(True, "no odd rows", 0)
    many = [str(number) for number in range(1_025, 1_000, -1)]
    assert none_of(many, "odd rows", "look") == CheckResult(
        False, "odd rows: 25", 25, tuple(str(number) for number in range(1_001, 1_021)), "look"
    )


def test_a_sync_is_recent_up_to_its_very_limit():
    within = recent(NOW - TWO_DAYS, NOW, TWO_DAYS, "users")
    assert (within.passed, within.description, within.remedy) == (True, "users were last synced 48.0 hours ago", None)
    late = recent(NOW - TWO_DAYS - timedelta(seconds=1), NOW, TWO_DAYS, "users")
    assert not late.passed
    assert late.description == "users were last synced 48.0 hours ago; more than 48 is too old to build on"
    assert late.remedy
    assert recent(NOW - timedelta(minutes=20), NOW, TWO_DAYS, "users").figures == {"hours": 0.33}


def test_what_was_never_synced_is_not_recent():
    never = recent(None, NOW, TWO_DAYS, "users")
    assert (never.passed, never.description) == (False, "users have never been synced completely")


@pytest.mark.parametrize(
    ("before", "after", "passed"),
    [(1_000, 900, True), (1_000, 899, False), (20, 10, True), (20, 9, False), (10, 500, True), (0, 0, True)],
)
def test_a_fall_is_sudden_beyond_both_the_share_and_the_least_number(before, after, passed):
    assert no_sudden_fall(before, after, what="NPCU", share=0.1, minimum=10, remedy="look").passed is passed


def test_without_an_earlier_figure_nothing_has_fallen():
    first = no_sudden_fall(None, 1_000, what="NPCU", share=0.1, minimum=10, remedy="look")
    assert first.passed is True
    assert first.description.startswith("NPCU: 1,000; there is no ea")
