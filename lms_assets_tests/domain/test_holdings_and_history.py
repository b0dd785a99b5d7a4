"""Around the instant of counting: gained, lost, over time, and snapshots that nobody took."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from lms_assets.domain.counting.certifications import assess, count
from lms_assets.domain.counting.history import united
from lms_assets.domain.counting.holdings import CountingInputs, Holdings, key_of
from lms_assets.domain.counting.periods import days_of_history, monday_of, periods, trend_instants, week_name
from lms_assets.domain.counting.report_facts import Snapshot
from lms_assets.domain.counting.snapshots import Past, backfill
from lms_assets_tests.reports.scenarios import course, done, member

NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)
DAY = timedelta(days=1)


ANN = (member(1, "ann"),)


def inputs(*enrollments, members=ANN):
    courses = {"one": course("one"), "two": course("two", 2, None), "zero": course("zero", 0)}
    return CountingInputs(tuple(members), tuple(enrollments), courses)


def keys(items):
    return [(item.user_id, item.course_id) for item in items]


def test_what_was_completed_within_the_week_is_gained_and_what_expired_is_lost():
    holdings = Holdings(
        inputs(done("ann", "one", NOW - 2 * DAY), done("ann", "two", NOW - 700 * DAY, NOW - 3 * DAY)), NOW
    )

    assert keys(holdings.gained(NOW - 7 * DAY)) == [("ann", "one")]
    assert keys(holdings.lost(NOW - 7 * DAY)) == [("ann", "two")]


def test_what_was_gained_last_comes_first_and_so_does_what_was_lost_last():
    renewed = [done("ann", "one", NOW - 2 * DAY), done("ann", "two", NOW - 4 * DAY)]
    expired = [done("ben", "one", NOW - 700 * DAY, NOW - DAY), done("ben", "two", NOW - 700 * DAY, NOW - 3 * DAY)]
    holdings = Holdings(inputs(*renewed, *expired, members=(member(1, "ann"), member(1, "ben"))), NOW)

    assert keys(holdings.gained(NOW - 7 * DAY)) == [("ann", "one"), ("ann", "two")]
    assert keys(holdings.lost(NOW - 7 * DAY)) == [("ben", "one"), ("ben", "two")]


def test_a_renewal_before_the_expiry_is_neither_gained_nor_lost():
    old, new = done("ann", "one", NOW - 700 * DAY, NOW - DAY), done("ann", "one", NOW - 3 * DAY, attempt=2)
    holdings = Holdings(inputs(old, new), NOW)

    assert holdings.gained(NOW - 7 * DAY) == ()
    assert holdings.lost(NOW - 7 * DAY) == ()


def test_points_over_time_fall_at_each_expiry_and_rise_only_in_the_past():
    holdings = Holdings(
        inputs(
            done("ann", "one", NOW - 10 * DAY, NOW + 5 * DAY),
            done("ann", "two", NOW - 4 * DAY, NOW + 50 * DAY),
            done("ann", "zero", NOW - 4 * DAY),
        ),
        NOW,
    )

    assert [(each.at, each.npcu) for each in holdings.totals[1]] == [
        (NOW - 10 * DAY, 1),
        (NOW - 4 * DAY, 3),
        (NOW + 5 * DAY, 2),
        (NOW + 50 * DAY, 0),
    ]


def test_a_completion_dated_in_the_future_promises_nothing():
    holdings = Holdings(inputs(done("ann", "one", NOW + 5 * DAY)), NOW)

    assert holdings.totals.get(1, ()) == ()


days = st.integers(-900, 200)
records = st.lists(
    st.tuples(st.sampled_from(["ann", "ben"]), st.sampled_from(["one", "two", "zero"]), days, st.none() | days),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(records, st.integers(0, 90))
def test_points_over_time_equal_the_counts_at_every_instant(rows, ahead):
    """The running total is computed in one sweep; counting one instant at a time has to give the same."""
    enrollments = [
        done(user, course_id, NOW + DAY * completed, None if expires is None else NOW + DAY * expires, attempt=place)
        for place, (user, course_id, completed, expires) in enumerate(rows)
        if completed <= 0
    ]
    vendor_state = inputs(*enrollments, members=(member(1, "ann"), member(1, "ben"), member(2, "ben")))
    holdings = Holdings(vendor_state, NOW)
    for instant in (NOW - 400 * DAY, NOW - DAY, NOW, NOW + DAY * ahead):
        assessed = list(assess(vendor_state.affiliations, vendor_state.enrollments, vendor_state.courses, at=instant))
        counted = count(assessed, [1, 2])
        assert set(holdings.held_at(instant)) == {key_of(item) for item in assessed if item.counted}
        for partner_id in (1, 2):
            steps = [each.npcu for each in holdings.totals.get(partner_id, ()) if each.at <= instant]
            assert (steps[-1] if steps else 0) == counted[partner_id].total_npcu


def test_a_snapshot_stands_for_six_days_after_it_and_not_for_the_seventh():
    snapshot = Snapshot(1, date(2026, 11, 9), 5, {}, NOW)
    past = Past([snapshot])

    assert past.on(1, date(2026, 11, 15)) is snapshot
    assert past.on(1, date(2026, 11, 16)) is None
    assert past.on(1, date(2026, 11, 8)) is None
    assert past.on(2, date(2026, 11, 9)) is None


def test_of_several_snapshots_the_last_one_until_that_day_stands_for_it():
    first, second = (Snapshot(1, date(2026, 11, day), 5, {}, NOW) for day in (9, 11))
    past = Past([second, first])

    assert [past.on(1, date(2026, 11, day)) for day in (9, 10, 11, 12)] == [first, first, second, second]


def test_a_course_held_again_from_the_end_of_the_first_time_is_held_without_a_gap():
    assert united([(NOW, NOW + DAY), (NOW - DAY, NOW)]) == [(NOW - DAY, NOW + DAY)]
    assert united([(NOW - DAY, NOW), (NOW + DAY, NOW + 2 * DAY)]) == [(NOW - DAY, NOW), (NOW + DAY, NOW + 2 * DAY)]


def test_the_past_is_filled_with_what_todays_people_held_at_that_time_of_each_day():
    vendor_state = inputs(done("ann", "one", NOW - 10 * DAY), done("ann", "two", NOW - 30 * DAY, NOW - 14 * DAY))
    gaps = Past([]).missing([1, 7], [date(2026, 11, 9), date(2026, 11, 16)])

    found = {(each.partner_id, each.day): each for each in backfill(vendor_state, gaps, time(2))}

    assert found[1, date(2026, 11, 9)].total_npcu == 0  # at the instant of expiry it no longer counts
    assert found[1, date(2026, 11, 16)].total_npcu == 1
    assert found[1, date(2026, 11, 16)].by_category == {"nintex_ce": 1}
    assert found[1, date(2026, 11, 16)].as_of == datetime(2026, 11, 16, 2, tzinfo=UTC)
    assert found[7, date(2026, 11, 16)].total_npcu == 0
    assert {each.origin for each in found.values()} == {"backfill"}


def test_only_what_is_missing_is_filled():
    past = Past([Snapshot(1, date(2026, 11, 9), 5, {}, NOW)])

    assert past.missing([1, 2], [date(2026, 11, 9)]) == {date(2026, 11, 9): (2,)}


def test_the_spans_are_a_week_a_month_and_the_year_and_the_same_a_year_earlier():
    week, month, year = periods(datetime(2028, 3, 31, 2, tzinfo=UTC))

    assert week.start == datetime(2028, 3, 24, 2, tzinfo=UTC)
    assert month.start == datetime(2028, 2, 29, 2, tzinfo=UTC)
    assert year.start == datetime(2028, 1, 1, tzinfo=UTC)
    assert month.a_year_earlier().start == datetime(2027, 2, 28, 2, tzinfo=UTC)
    assert month.a_year_earlier().end == datetime(2027, 3, 31, 2, tzinfo=UTC)


def test_history_holds_every_day_that_a_report_compares_with():
    days = days_of_history(NOW)

    assert NOW.date() not in days
    for instant in trend_instants(NOW)[:-1]:
        assert instant.date() in days
    for period in periods(NOW):
        assert {period.start.date(), period.a_year_earlier().start.date(), period.a_year_earlier().end.date()} <= set(
            days
        )


def test_weeks_begin_on_monday_and_are_named_as_iso_says():
    assert monday_of(date(2026, 11, 29)) == date(2026, 11, 23)
    assert week_name(date(2027, 1, 3)) == "2026-W53"
