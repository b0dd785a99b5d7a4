"""What was held when, by dates, and the spans that reports compare."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from lms_assets.domain.counting.certifications import assess
from lms_assets.domain.counting.holdings import CountingInputs, held_by_dates, key_of, united
from lms_assets.domain.counting.report_facts import earliest, monday_of, periods, trend_instants, week_name
from lms_assets.domain.records.dates import LATEST
from lms_assets_tests.reports.scenarios import course, done, member

NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)
DAY = timedelta(days=1)


ANN = (member(1, "ann"),)


def inputs(*enrollments, members=ANN):
    courses = {"one": course("one"), "two": course("two", 2, None), "zero": course("zero", 0)}
    return CountingInputs(tuple(members), tuple(enrollments), courses)


days = st.integers(-900, 200)
records = st.lists(
    st.tuples(st.sampled_from(["ann", "ben"]), st.sampled_from(["one", "two", "zero"]), days, st.none() | days),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(records, st.sampled_from([NOW - 400 * DAY, NOW - DAY, NOW, NOW + 60 * DAY]))
def test_what_is_held_by_dates_is_what_counting_at_that_instant_gives(rows, instant):
    enrollments = [
        done(user, course_id, NOW + DAY * completed, None if expires is None else NOW + DAY * expires, attempt=place)
        for place, (user, course_id, completed, expires) in enumerate(rows)
    ]
    vendor_state = inputs(
        *enrollments, members=(member(1, "ann"), member(1, "ben"), member(2, "ben"), member(2, "ann", "left"))
    )
    counted = assess(vendor_state.affiliations, vendor_state.enrollments, vendor_state.courses, at=instant)
    held = [each for each in held_by_dates(vendor_state, LATEST) if each.start <= instant < each.end]
    assert sorted(each[:3] for each in held) == sorted(key_of(item) for item in counted if item.counted)
    assert all(each.npcu == vendor_state.courses[each.course_id].npcu for each in held)


def test_what_is_known_better_is_left_out():
    """The ledger tells what counted since its first counting, so dates speak for the time before it only."""
    found = held_by_dates(inputs(done("ann", "one", NOW - DAY), done("ann", "two", NOW)), NOW)
    assert [(each.course_id, each.start, each.end) for each in found] == [("one", NOW - DAY, NOW)]


def test_a_course_held_again_from_the_end_of_the_first_time_is_held_without_a_gap():
    assert united([(NOW, NOW + DAY), (NOW - DAY, NOW)]) == [(NOW - DAY, NOW + DAY)]
    assert united([(NOW - DAY, NOW), (NOW + DAY, NOW + 2 * DAY)]) == [(NOW - DAY, NOW), (NOW + DAY, NOW + 2 * DAY)]


def test_the_spans_are_a_week_a_month_and_the_year_and_the_same_a_year_earlier():
    week, month, year = periods(datetime(2028, 3, 31, 2, tzinfo=UTC))

    assert week.start == datetime(2028, 3, 24, 2, tzinfo=UTC)
    assert month.start == datetime(2028, 2, 29, 2, tzinfo=UTC)
    assert year.start == datetime(2028, 1, 1, tzinfo=UTC)
    assert month.a_year_earlier().start == datetime(2027, 2, 28, 2, tzinfo=UTC)
    assert month.a_year_earlier().end == datetime(2027, 3, 31, 2, tzinfo=UTC)


def test_the_earliest_instant_comes_before_all_that_a_report_compares_with():
    for at in (NOW, datetime(2028, 2, 29, 23, 59, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)):
        compared = [period.a_year_earlier().start for period in periods(at)]
        assert earliest(at) < min(*compared, *trend_instants(at))


def test_weeks_begin_on_monday_and_are_named_as_iso_says():
    assert monday_of(date(2026, 11, 29)) == date(2026, 11, 23)
    assert week_name(date(2027, 1, 3)) == "2026-W53"
