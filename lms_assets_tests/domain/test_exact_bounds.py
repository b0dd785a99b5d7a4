"""Rules at their exact bounds, where one sign turned would go unnoticed elsewhere."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from lms_assets.domain.counting.compliance import TotalAt, standing
from lms_assets.domain.counting.push_plan import ImplausiblePush, refuse_implausible_push, same_value, total_shown
from lms_assets.domain.counting.report_facts import TREND_WEEKS, WEEK, earliest, periods, trend_instants
from lms_assets.domain.records.dates import LATEST, changed_since, parse_utc
from lms_assets.domain.safety.overrides import Overrides
from lms_assets.domain.schedule import next_of
from lms_assets.lineage import CHAIN_LINE, ENROLLMENTS_LINE, LEADS_FULL_LINE, REPORTS_LINE
from lms_assets.reports.config import report_config

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)  # a Monday
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


@pytest.mark.parametrize("hour", [2])
def test_a_schedule_begins_at_its_very_minute_and_not_twice(hour):
    tick = NOW.replace(hour=hour)
    assert CHAIN_LINE.next_after(tick) == tick + DAY
    assert CHAIN_LINE.next_after(tick - SECOND) == tick
    assert CHAIN_LINE.last_until(tick) == tick
    assert CHAIN_LINE.last_until(tick - SECOND) == tick - DAY


def test_several_hours_a_day_follow_each_other_and_the_night_between():
    ticks, at = [], NOW
    for _ in range(6):
        at = ENROLLMENTS_LINE.next_after(at)
        ticks.append(at - NOW.replace(hour=0))
    assert ticks == [timedelta(hours=hours) for hours in (6, 10, 14, 18, 22, 30)]


@pytest.mark.parametrize("days", range(8))
def test_a_weekly_schedule_finds_its_day_from_every_other_day(days):
    at = NOW.replace(hour=8) + days * DAY
    assert REPORTS_LINE.next_after(at) == NOW.replace(hour=8) + (7 if days < 7 else 14) * DAY
    assert REPORTS_LINE.last_until(at) == NOW.replace(hour=8) + (0 if days < 7 else 7) * DAY
    sunday = NOW.replace(hour=3) + 6 * DAY
    assert LEADS_FULL_LINE.next_after(at) == (sunday if at < sunday else sunday + 7 * DAY)


def test_of_several_schedules_the_next_tick_is_the_first_of_any():
    assert next_of((REPORTS_LINE, CHAIN_LINE, ENROLLMENTS_LINE), NOW) == NOW.replace(hour=6)
    assert next_of((), NOW) is None


def test_what_the_crm_calls_changed_since_an_instant_is_compared_to_the_whole_second():
    fits = changed_since(NOW + timedelta(microseconds=700_000))
    assert fits({"Updated": NOW.isoformat()})
    assert fits({"Updated": (NOW + SECOND).isoformat()})
    assert not fits({"Updated": (NOW - timedelta(microseconds=1)).isoformat()})


def test_a_record_without_a_readable_date_may_have_changed():
    fits = changed_since(NOW)
    assert fits({})
    assert fits({"Updated": "soon"})


def test_the_years_1900_to_9999_are_dates_and_earlier_ones_are_not():
    assert parse_utc("1900-01-01T00:00:00Z") == datetime(1900, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="1900"):
        parse_utc("1899-12-31T23:59:59Z")
    assert parse_utc("9999-12-31T23:59:59-01:00") == LATEST


def total(offset, npcu):
    return TotalAt(NOW + offset, npcu)


def test_a_tier_that_asks_for_one_point_asks_for_something():
    none, one = (standing(asked, [total(-DAY, 0)], at=NOW, until=NOW + DAY) for asked in (0, 1))
    assert (none.status, none.requirement, none.missing) == ("no requirement", 0, 0)
    assert (one.status, one.requirement, one.missing) == ("below", 1, 1)


def test_exactly_enough_in_the_past_ends_the_time_below():
    totals = [total(-3 * DAY, 4), total(-2 * DAY, 5), total(-DAY, 3)]
    assert standing(5, totals, at=NOW, until=NOW + DAY).since == NOW - DAY


def test_a_total_of_exactly_the_requirement_to_come_is_no_fall():
    assert standing(5, [total(-DAY, 9), total(DAY, 5)], at=NOW, until=NOW + DAY).status == "meets"


def test_a_fall_at_the_instant_of_counting_is_no_fall_to_come():
    assert standing(5, [total(timedelta(0), 9), total(DAY, 4)], at=NOW, until=NOW + DAY).falls_at == NOW + DAY


@pytest.mark.parametrize("npcu", [0, 1, 100_000])
def test_requirements_from_0_to_100000_are_taken(npcu):
    assert report_config({"tier_requirements": {"Select": npcu}}).tier_requirements["Select"] == npcu


@pytest.mark.parametrize("npcu", [-1, 100_001, True, 1.0, "1", None])
def test_other_requirements_are_refused(npcu):
    with pytest.raises(ValueError, match=r"tier_requirements\.Select"):
        report_config({"tier_requirements": {"Select": npcu}})


def test_the_trend_ends_now_and_goes_back_a_week_at_a_time():
    assert trend_instants(NOW, 3) == (NOW - 2 * WEEK, NOW - WEEK, NOW)
    assert len(trend_instants(NOW)) == TREND_WEEKS


def test_the_trend_holds_every_week_and_each_span_its_ends():
    assert trend_instants(NOW) == tuple(NOW - weeks * WEEK for weeks in reversed(range(TREND_WEEKS)))
    begins = [(period.name, period.start.date(), period.a_year_earlier().start.date()) for period in periods(NOW)]
    assert begins == [
        ("week", date(2026, 2, 23), date(2025, 2, 23)),
        ("month", date(2026, 2, 2), date(2025, 2, 2)),
        ("year to date", date(2026, 1, 1), date(2025, 1, 1)),
    ]
    assert {period.a_year_earlier().end.date() for period in periods(NOW)} == {date(2025, 3, 2)}
    assert earliest(NOW).date() == date(2024, 12, 31)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (3, "3.0", True), (3, "x", False), ("x", 3, False), (None, "", True), (None, 0, False), ("", 0, False),
        (True, True, True), (True, 1, False), (1, True, False), (True, "True", False), (False, None, False),
        (" a ", "a", True), ("a", "A", False), (2, 3, False),
    ],
)  # fmt: skip
def test_values_are_the_same_only_as_the_crm_means_them(one, other, same):
    assert same_value(one, other) is same


@pytest.mark.parametrize(("shown", "total"), [(7, 7), ("7", 7), (7.0, 7), (None, 0), ("", 0), ("many", 0), (True, 0)])
def test_a_count_that_the_crm_shows_is_read_as_a_number_and_anything_else_is_0(shown, total):
    assert total_shown(shown) == total


@pytest.mark.parametrize(
    ("shown", "wanted", "refused"),
    [(1_000, 800, False), (1_000, 799, True), (50, 30, False), (50, 29, True), (0, 500, False)],
)
def test_the_first_push_may_lower_the_crm_by_a_fifth_or_by_twenty_points(shown, wanted, refused):
    nothing_allowed = Overrides()
    if refused:
        with pytest.raises(ImplausiblePush, match="first_push"):
            refuse_implausible_push(shown, wanted, nothing_allowed)
    else:
        refuse_implausible_push(shown, wanted, nothing_allowed)
