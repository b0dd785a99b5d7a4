"""What a count may be between two moments, on a vendor state small enough to count by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lms_assets_tests.faults.bounds import Moment, bounds, never_taken_back, outside
from lms_assets_tests.oracle.tiny import account, course, group, person, transcript, vendor_state

AT = datetime(2026, 3, 2, tzinfo=UTC)


def moment(*members: str, points: int = 1, done: tuple[str, ...] = ("a", "b")) -> dict[str, Any]:
    pairs: Any = [("g", each) for each in members]
    return vendor_state(
        accounts=[account(1)],
        people=[person("a"), person("b")],
        groups=[group("g")],
        course_properties=[course("rpa", npcu=points)],
        transcripts=[transcript(each, "rpa") for each in done],
        memberships=pairs,
    )


def of(*states: dict[str, Any], transcripts: list[Any] | None = None) -> tuple[tuple[int, int], tuple[int, int]]:
    found = bounds([Moment(each, {}) for each in states], transcripts or states, AT)[1]
    return found["cert_count_nintex_ce"], found["total_npcu"]


def test_when_nothing_changed_there_is_one_right_count():
    assert of(moment("a", "b"), moment("a", "b")) == ((2, 2), (2, 2))


def test_whoever_joined_left_or_learned_in_between_may_count_or_not():
    assert of(moment("a"), moment("a", "b")) == ((1, 2), (1, 2))
    assert of(moment("a"), moment("b")) == ((0, 2), (0, 2))
    assert of(moment("a", "b", done=("a",)), moment("a", "b")) == ((1, 2), (1, 2))
    assert of(moment("a", points=0), moment("a", points=2)) == ((0, 1), (0, 2))


def test_a_transcript_read_again_leaves_only_what_was_removed_unseen():
    before, now = moment("a", "b", done=("a",)), moment("a", "b", done=("b",))
    assert of(before, now, transcripts=never_taken_back([before], now)) == ((1, 2), (1, 2))


def test_a_count_outside_is_named():
    right = bounds([Moment(moment("a"), {})], [moment("a")], AT)[1]
    zeros = dict.fromkeys(right, 0)
    assert outside(zeros | {"cert_count_nintex_ce": 1, "total_npcu": 1}, right) == []
    assert outside(zeros, right) == ["cert_count_nintex_ce is 0, not 1 to 1", "total_npcu is 0, not 1 to 1"]
