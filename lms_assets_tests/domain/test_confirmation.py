from __future__ import annotations

import pytest

from lms_assets.domain.safety.confirmation import control_records, why_answers_prove_nothing, why_readings_prove_nothing


def test_control_records_come_from_both_ends_of_what_is_there_and_is_not_asked_for():
    assert control_records(range(1, 10), [1, 9]) == [2, 3, 7, 8]
    assert control_records(["c", "a", "b"], ["b"]) == ["a", "c"]
    assert control_records([1, 2], [1, 2]) == []


def test_answers_by_id_prove_something_only_when_they_show_every_control_record():
    assert why_answers_prove_nothing([1, 2], [2, 1, 7]) is None
    assert "lacks 1 of 2 control records" in (why_answers_prove_nothing([1, 2], [2, 7]) or "")


def test_without_a_control_record_no_answer_proves_anything():
    assert "proves nothing" in (why_answers_prove_nothing([], [7]) or "")


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ({"a": 1, "b": 2}, None),
        ({"a": 1}, "differ in 1 of 2"),
        ({"a": 1, "b": 3}, "differ in 1 of 2"),
        ({"a": 1, "b": 2, "c": 0}, "differ in 1 of 3"),
        ({"a": 1, "b": None}, "differ in 1 of 2"),
    ],
)
def test_a_second_reading_confirms_a_first_one_only_when_both_say_the_same(second, said):
    found = why_readings_prove_nothing({"a": 1, "b": 2}, second, second_is_complete=True)
    assert found is None if said is None else said in (found or "")


def test_an_incomplete_second_reading_confirms_nothing():
    assert why_readings_prove_nothing({"a": 1}, {"a": 1}, second_is_complete=False)
    assert why_readings_prove_nothing({}, {}, second_is_complete=True) is None


def test_a_missing_value_is_not_the_same_as_none():
    assert why_readings_prove_nothing({"a": None}, {}, second_is_complete=True)
