"""As of which instant a run may count, and over which weeks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from lms_assets.domain.safety.run_instants import instant_problem, not_before, parse_as_of
from lms_assets.domain.schedule import range_problem, weeks_of_last_days, weeks_to_read

BEGAN = datetime(2026, 3, 2, 2, tzinfo=UTC)
WEEKS = ["2026-02-09", "2026-02-16", "2026-02-23", "2026-03-02"]


@pytest.mark.parametrize("ago", [-timedelta(seconds=60), timedelta(0), timedelta(hours=24)])
def test_an_instant_within_the_last_24_hours_is_allowed(ago: timedelta):
    assert instant_problem(BEGAN - ago, BEGAN) is None


@pytest.mark.parametrize(
    ("ago", "said"),
    [
        (timedelta(hours=24, seconds=1), "2026-03-01 01:59 UTC is 24 hours before the start of this run"),
        (timedelta(days=9), "216 hours before the start of this run; at most 24 are allowed"),
        (-timedelta(seconds=61), "2026-03-02 02:01 UTC is after the start of this run (2026-03-02 02:00 UTC)"),
        (-timedelta(days=3), "is after the start of this run"),
    ],
)
def test_an_older_or_a_future_instant_is_not(ago: timedelta, said: str):
    assert said in (instant_problem(BEGAN - ago, BEGAN) or "")


@pytest.mark.parametrize("text", ["soon", "", "2026-03-02T02:00:00", "2026-13-01T00:00:00+00:00"])
def test_what_is_no_instant_with_a_zone_is_refused(text: str):
    with pytest.raises(ValueError, match=r"."):
        parse_as_of(text)


def test_an_instant_is_read_in_its_own_zone():
    assert parse_as_of("2026-03-02T03:00:00+01:00") == BEGAN


def test_counting_never_goes_back_and_a_wrong_clock_does_not_bind():
    hour = timedelta(hours=1)
    assert not_before(BEGAN, None, BEGAN) == BEGAN
    assert not_before(BEGAN, BEGAN - hour, BEGAN) == BEGAN
    assert not_before(BEGAN, BEGAN + hour, BEGAN + 2 * hour) == BEGAN + hour
    assert not_before(BEGAN, BEGAN + hour, BEGAN + hour) == BEGAN + hour
    assert not_before(BEGAN, BEGAN + 72 * hour, BEGAN + 2 * hour) == BEGAN


def test_a_range_of_weeks_that_exist_is_allowed():
    assert range_problem("2026-02-09", "2026-03-02", WEEKS) is None
    assert range_problem("2026-02-16", "2026-02-16", WEEKS) is None


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        (
            "2026-02-02",
            "2026-02-09",
            "there is no week 2026-02-02; weeks begin on Mondays, from 2026-02-09 to 2026-03-02",
        ),
        ("2026-02-10", "2026-02-16", "there is no week 2026-02-10"),
        ("2026-03-02", "2026-03-09", "there is no week 2026-03-09"),
        ("2026-02-23", "2026-02-16", "the first week, 2026-02-23, is after the last, 2026-02-16"),
        ("last week", "2026-02-16", "there is no week last week"),
    ],
)
def test_a_range_that_cannot_be_read_is_refused(first: str, last: str, said: str):
    assert said in (range_problem(first, last, WEEKS) or "")


@pytest.mark.parametrize(
    ("days", "first"),
    [(0, "2026-03-02"), (2, "2026-03-02"), (3, "2026-02-23"), (9, "2026-02-23"), (10, "2026-02-16"), (23, WEEKS[0])],
)
def test_the_last_days_touch_the_weeks_in_which_they_lie(days: int, first: str):
    assert weeks_of_last_days(days, date(2026, 3, 4), WEEKS) == (first, "2026-03-02")


@pytest.mark.parametrize("days", [-1, 24, 800_000, 10**30])
def test_days_that_are_none_or_reach_back_before_the_first_week_are_refused(days: int):
    with pytest.raises(ValueError, match="1 to 23 days are possible, as the first week begins on 2026-02-09"):
        weeks_of_last_days(days, date(2026, 3, 4), WEEKS)


@pytest.mark.parametrize("chosen", [(), WEEKS[-1:], WEEKS[1:], WEEKS])
def test_the_whole_chain_reads_all_weeks_unless_the_running_one_was_left_out(chosen):
    assert weeks_to_read(chosen, WEEKS, whole_chain=True) == WEEKS


def test_other_runs_read_the_weeks_that_were_chosen():
    assert weeks_to_read(WEEKS[:1], WEEKS, whole_chain=True) == ["2026-02-09"]
    assert weeks_to_read((WEEKS[2], WEEKS[1]), WEEKS, whole_chain=False) == ["2026-02-16", "2026-02-23"]
    assert weeks_to_read((), WEEKS, whole_chain=False) == []
