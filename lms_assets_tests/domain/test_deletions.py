from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.deactivation_limit import (
    Leaving,
    MassDeactivationStopped,
    TooManyBadRecords,
    check_bad_records,
    check_deactivation_limit,
    most_deactivations,
)
from lms_assets.domain.safety.overrides import Overrides
from lms_assets_tests.domain.records import RULES

NOTHING = Overrides()


@pytest.mark.parametrize(
    ("active", "limit"),
    [(0, 10), (10, 10), (199, 10), (200, 10), (219, 10), (220, 11), (1000, 50), (1019, 50), (1020, 51)],
)
def test_5_per_cent_may_leave_and_at_least_10_rows(active, limit):
    assert most_deactivations(active, RULES) == limit
    assert not check_deactivation_limit(Leaving("partners", active, range(limit)), RULES, NOTHING)
    with pytest.raises(MassDeactivationStopped):
        check_deactivation_limit(Leaving("partners", active, range(limit + 1)), RULES, NOTHING)


def test_the_message_says_how_many_and_a_sample_and_the_command_that_allows_it():
    ids = [f"id-{number:03}" for number in range(60)]
    with pytest.raises(MassDeactivationStopped) as stopped:
        check_deactivation_limit(Leaving("contacts", 100, ids), RULES, Overrides(job="daily_full"))
    error = stopped.value
    assert (error.leaving.active, error.limit) == (100, 10)
    assert error.sample == tuple(f"id-{number:03}" for number in range(20))
    assert "60 of 100 active contacts" in str(error)
    assert "and 40 more" in str(error)
    assert str(error).endswith("lms-assets run daily_full --resume --allow mass_deactivation:contacts")
    assert error.command == "lms-assets run daily_full --resume --allow mass_deactivation:contacts"


def test_twenty_ids_are_all_shown():
    with pytest.raises(MassDeactivationStopped) as stopped:
        check_deactivation_limit(Leaving("contacts", 100, range(20)), RULES, NOTHING)
    assert "18, 19. Look at the source" in str(stopped.value)


def test_an_override_of_this_kind_goes_through_and_is_noted():
    overrides = Overrides(frozenset({"mass_deactivation:contacts"}))
    assert check_deactivation_limit(Leaving("contacts", 100, range(100)), RULES, overrides)
    assert overrides.uses == [("mass_deactivation:contacts", 100, "")]
    with pytest.raises(MassDeactivationStopped):
        check_deactivation_limit(Leaving("partners", 100, range(100)), RULES, overrides)


def test_an_override_that_is_not_needed_is_not_noted():
    overrides = Overrides(frozenset({"mass_deactivation:contacts"}))
    assert not check_deactivation_limit(Leaving("contacts", 100, range(10)), RULES, overrides)
    assert overrides.uses == []


def test_what_left_in_the_last_24_hours_counts_too():
    check_deactivation_limit(Leaving("contacts", 960, range(10), lately=40), RULES, NOTHING)
    with pytest.raises(MassDeactivationStopped, match=r"11 of 960 active contacts .* 40 left in the last 24 hours"):
        check_deactivation_limit(Leaving("contacts", 960, range(11), lately=40), RULES, NOTHING)


def test_nobody_who_leaves_is_never_too_many():
    check_deactivation_limit(Leaving("contacts", 100, (), lately=60), RULES, NOTHING)


@given(st.integers(0, 100_000), st.integers(0, 100), st.integers(0, 50))
def test_the_share_is_exact_whatever_its_spelling_as_a_number(active, per_cent, minimum):
    rules = Rules(mass_deactivation_share=per_cent / 100, mass_deactivation_minimum=minimum)
    assert most_deactivations(active, rules) == max(minimum, active * per_cent // 100)


def test_a_few_bad_records_pass_and_too_many_stop_the_sync():
    check_bad_records("users", 10, 5, RULES)
    check_bad_records("users", 1000, 50, RULES)
    with pytest.raises(TooManyBadRecords, match="51 of 1000"):
        check_bad_records("users", 1000, 51, RULES)
    with pytest.raises(TooManyBadRecords):
        check_bad_records("users", 10, 6, RULES)
