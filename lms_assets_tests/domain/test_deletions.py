from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lms_assets.domain.deletions import (
    MassDeactivationStopped,
    TooManyBadRecords,
    absent_ids,
    check_bad_records,
    check_fuse,
    confirmed_gone,
    fuse_limit,
)
from lms_assets.domain.rules import Rules
from lms_assets_tests.domain.records import RULES


def test_absent_are_the_active_rows_that_no_record_named():
    assert absent_ids([3, 1, 2, 5], [2, 4, 1]) == (3, 5)
    assert absent_ids(["b", "a"], []) == ("a", "b")
    assert absent_ids([("g", "p"), ("g", "q")], {("g", "p")}) == (("g", "q"),)


def test_absence_is_confirmed_before_it_has_an_effect_and_one_that_answers_proves_the_listing_incomplete():
    assert confirmed_gone((1, 2), []) == (1, 2)
    assert confirmed_gone((1, 2), [2]) == ()
    assert confirmed_gone((1, 2), [9]) == (1, 2)


@pytest.mark.parametrize(
    ("active", "limit"),
    [(0, 10), (10, 10), (199, 10), (200, 10), (219, 10), (220, 11), (1000, 50), (1019, 50), (1020, 51)],
)
def test_the_fuse_lets_5_per_cent_go_and_at_least_10_rows(active, limit):
    assert fuse_limit(active, RULES) == limit
    check_fuse("partners", active, list(range(limit)), RULES)
    with pytest.raises(MassDeactivationStopped):
        check_fuse("partners", active, list(range(limit + 1)), RULES)


def test_the_fuse_says_how_many_and_a_sample_and_what_to_do():
    with pytest.raises(MassDeactivationStopped) as stopped:
        check_fuse("contacts", 100, [f"id-{number:03}" for number in range(60)], RULES)
    error = stopped.value
    assert (error.entity, error.active, error.leaving, error.limit) == ("contacts", 100, 60, 10)
    assert error.sample == tuple(f"id-{number:03}" for number in range(20))
    assert "60 of 100" in str(error)
    assert "and 40 more" in str(error)
    assert "--allow-mass-deactivation" in str(error)


def test_an_explicit_override_goes_through():
    check_fuse("contacts", 100, list(range(100)), RULES, allowed=True)


@given(st.integers(0, 100_000), st.integers(0, 100), st.integers(0, 50))
def test_the_share_is_exact_whatever_its_spelling_as_a_number(active, per_cent, minimum):
    rules = Rules(mass_deactivation_share=per_cent / 100, mass_deactivation_minimum=minimum)
    assert fuse_limit(active, rules) == max(minimum, active * per_cent // 100)


def test_a_few_bad_records_pass_and_too_many_stop_the_sync():
    check_bad_records("users", 10, 5, RULES)
    check_bad_records("users", 1000, 50, RULES)
    with pytest.raises(TooManyBadRecords, match="51 of 1000"):
        check_bad_records("users", 1000, 51, RULES)
    with pytest.raises(TooManyBadRecords):
        check_bad_records("users", 10, 6, RULES)
