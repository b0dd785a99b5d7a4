"""Why this number: it adds up, it says what is not counted, and what moved between two instants."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lms_assets.domain.counting.certifications import Verdict
from lms_assets.domain.counting.explanation import Changes, changes_between, differences, explain
from lms_assets.domain.counting.holdings import CountingInputs
from lms_assets_tests.reports.scenarios import course, done, member

NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)
DAY = timedelta(days=1)
COURSES = {
    "ce": course("ce", 1, "nintex_ce", "Automation Cloud"),
    "k2": course("k2", 2, "nintex_k2", "K2 Developer"),
    "gtm": course("gtm", 1, "go_to_market", "Sales Professional"),
    "talk": course("talk", 0, None, "Welcome"),
}
ENROLLMENTS = (
    done("ann", "ce", NOW - 100 * DAY),
    done("ann", "k2", NOW - 720 * DAY, NOW - 20 * DAY),
    done("ann", "k2", NOW - 5 * DAY, attempt=2),
    done("ann", "talk", NOW - 5 * DAY),
    done("ben", "gtm", NOW - 800 * DAY),
    done("ben", "ce", NOW + 2 * DAY),
    done("dis", "ce", NOW - 50 * DAY),
    replace(done("ben", "k2", NOW), status="in_progress", completed_at=None),
    done("far", "k2", NOW - 5 * DAY),
)
INPUTS = CountingInputs(
    (member(1, "ann"), member(1, "ben"), member(1, "dis", "person is disabled"), member(2, "far")),
    ENROLLMENTS,
    COURSES,
)


def test_what_is_counted_adds_up_to_the_counts():
    found = explain(INPUTS, 1, NOW)

    assert {(item.user_id, item.course_id) for item in found.counted} == {("ann", "ce"), ("ann", "k2")}
    assert found.counts.total_npcu == 3
    assert found.counts.by_category == {"nintex_ce": 1, "nintex_k2": 1}
    assert found.people == {"ann", "ben"}


def test_what_is_not_counted_comes_with_its_reason():
    found = explain(INPUTS, 1, NOW)

    reasons = {item.enrollment_id: (item.verdict, item.reason) for item in found.not_counted}
    assert reasons["ann-k2-1"] == (
        Verdict.SAME_COURSE,
        "another attempt at the same course counts (renewal): ann-k2-2",
    )
    assert reasons["ann-talk-1"][0] is Verdict.NO_NPCU
    assert reasons["ben-gtm-1"][1].startswith("expired on 2026-09-14")
    assert reasons["ben-ce-1"][1].startswith("completed later, on 2026-11-25")
    assert reasons["dis-ce-1"][1] == "person is disabled"
    assert not any(item.user_id == "far" for item in found.not_counted)


def test_nearly_counts_what_one_thing_keeps_from_counting():
    found = explain(INPUTS, 1, NOW)

    assert {item.enrollment_id for item in found.nearly} == {"ben-gtm-1", "ben-ce-1", "dis-ce-1"}
    assert {item.enrollment_id for item in found.others} == {"ann-k2-1", "ann-talk-1", "ben-k2-1"}


def test_what_expired_long_ago_no_longer_nearly_counts():
    found = explain(INPUTS, 1, NOW + 400 * DAY)

    assert "ben-gtm-1" not in {item.enrollment_id for item in found.nearly}
    assert "ben-gtm-1" in {item.enrollment_id for item in found.others}


def test_what_expired_a_year_ago_to_the_second_still_nearly_counts():
    attempt = done("ben", "gtm", NOW - 800 * DAY, NOW - 365 * DAY)
    found = explain(CountingInputs((member(1, "ben"),), (attempt,), COURSES), 1, NOW)
    assert [item.enrollment_id for item in found.nearly] == ["ben-gtm-1"]
    earlier = replace(attempt, expires_at=NOW - 365 * DAY - timedelta(seconds=1))
    assert explain(CountingInputs((member(1, "ben"),), (earlier,), COURSES), 1, NOW).nearly == ()


def test_what_was_never_completed_does_not_nearly_count_whatever_else_is_missing():
    begun = replace(done("ben", "unknown", NOW), status="in_progress", completed_at=None)
    undated = replace(done("ben", "ce", NOW), completed_at=None)
    found = explain(CountingInputs((member(1, "ben"),), (begun, undated), COURSES), 1, NOW)
    assert [item.enrollment_id for item in found.nearly] == ["ben-ce-1"]
    assert [item.enrollment_id for item in found.others] == ["ben-unknown-1"]


def test_it_also_adds_up_in_the_past():
    found = explain(INPUTS, 1, NOW - 30 * DAY)

    assert {(item.user_id, item.course_id) for item in found.counted} == {("ann", "ce"), ("ann", "k2")}
    assert {item.enrollment_id for item in found.counted} == {"ann-ce-1", "ann-k2-1"}


def what_changed(inputs: CountingInputs, partner_id: int, since: datetime, at: datetime) -> Changes:
    return changes_between(explain(inputs, partner_id, since), explain(inputs, partner_id, at))


def test_what_changed_names_what_began_and_what_ceased_to_count():
    changes = what_changed(INPUTS, 1, NOW - 120 * DAY, NOW)

    assert [(each.item.enrollment_id, each.npcu) for each in changes.gained] == [("ann-ce-1", 1)]
    assert [(each.item.enrollment_id, each.npcu) for each in changes.lost] == [("ben-gtm-1", 1)]
    assert "completed on 2026-08-15" in changes.gained[0].reason
    assert "expired on 2026-09-14" in changes.lost[0].reason
    assert changes.npcu == 0


def test_what_ceased_to_count_has_its_own_reason_and_not_that_of_an_earlier_attempt():
    attempts = (done("ann", "k2", NOW - 900 * DAY, NOW - 200 * DAY), done("ann", "k2", NOW - 800 * DAY, NOW - DAY, 2))
    changes = what_changed(CountingInputs((member(1, "ann"),), attempts, COURSES), 1, NOW - 20 * DAY, NOW)

    assert [each.item.enrollment_id for each in changes.lost] == ["ann-k2-2"]
    assert "expired on 2026-11-22" in changes.lost[0].reason


def test_the_earlier_instant_must_be_earlier():
    with pytest.raises(ValueError, match="before"):
        what_changed(INPUTS, 1, NOW, NOW)


@settings(max_examples=50, deadline=None)
@given(st.integers(-900, 100), st.integers(1, 400))
def test_gained_less_lost_is_always_the_difference_of_the_totals(offset, period):
    at = NOW + offset * DAY
    changes = what_changed(INPUTS, 1, at - period * DAY, at)

    assert sum(each.npcu for each in changes.gained) - sum(each.npcu for each in changes.lost) == changes.npcu


def test_a_difference_to_the_stored_counts_is_named_by_its_figure():
    counts = explain(INPUTS, 1, NOW).counts

    assert differences(counts, 3, {"nintex_ce": 1, "nintex_k2": 1, "go_to_market": 0}) == ()
    assert differences(counts, 4, {"nintex_ce": 2, "nintex_k2": 1}) == (
        "total_npcu: stored 4, explained 3",
        "nintex_ce: stored 2, explained 1",
    )
    assert differences(counts, 3, {"go_to_market": 1}) == ("go_to_market: stored 1, explained 0",)
