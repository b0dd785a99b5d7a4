"""Single values of vendor records at their exact bounds."""

from __future__ import annotations

from decimal import Decimal

import pytest

from lms_assets.domain.records.values import (
    LARGEST_INT,
    BadValue,
    harmless_number,
    harmless_text,
    kind_of,
    label_of,
    lms_id,
    whole_number_of,
)


def read(reader, value, **more):
    return reader({"f": value}, "f", **more)


@pytest.mark.parametrize("value", [0, 1, LARGEST_INT, str(LARGEST_INT), " 7 ", 3.0])
def test_whole_numbers_from_0_to_the_largest_are_read(value):
    assert read(whole_number_of, value) == int(value)


@pytest.mark.parametrize("value", [-1, LARGEST_INT + 1, str(LARGEST_INT + 1), 1.5, True, "x", [1]])
def test_other_numbers_are_refused(value):
    with pytest.raises(BadValue, match=r"^f: "):
        read(whole_number_of, value)


@pytest.mark.parametrize(("value", "said"), [(None, "nothing"), (True, "true/false"), (1.5, "a number")])
def test_the_kind_of_a_value_in_words(value, said):
    assert kind_of(value) == said
    assert (kind_of("ab"), kind_of([]), kind_of({})) == ("text of 2 characters", "a list", "an object")


@pytest.mark.parametrize("value", [0, 1, 42, 10**19 - 1])
def test_a_whole_number_is_an_lms_id_by_its_digits(value):
    assert lms_id(value) == str(value)


@pytest.mark.parametrize("value", [-1, 10**19, True, 1.5, None, "", "a b", "a" * 101, "a\u200bb"])
def test_what_is_no_lms_id_is_refused(value):
    with pytest.raises(BadValue):
        lms_id(value)


def test_an_lms_id_has_up_to_100_characters():
    assert lms_id(f" {'a' * 100} ") == "a" * 100


def test_harmless_text_is_cut_and_has_no_blank_at_its_end():
    assert read(harmless_text, "abc def", limit=4) == "abc"
    assert read(harmless_text, "  \n abcdef", limit=10) == "abcdef"
    assert read(harmless_text, 10**19 - 1) == str(10**19 - 1)
    assert read(harmless_text, -(10**19) + 1) == str(-(10**19) + 1)
    assert read(harmless_text, 10**19) is None
    assert read(harmless_text, True) is None
    # Only the first 2 x limit characters are looked at, however long the text is.
    assert read(harmless_text, " " * 8 + "abcdef", limit=4) is None


@pytest.mark.parametrize(
    ("value", "right"),
    [
        (0, Decimal("0.00")), (100, Decimal("100.00")), ("99.995", Decimal("100.00")), (0.125, Decimal("0.12")),
        (-1, None), (100.01, None), (True, None), (None, None), ([], None), ({}, None), ("x", None),
        (float("nan"), None), (float("inf"), None),
    ],
)  # fmt: skip
def test_harmless_numbers_within_both_bounds(value, right):
    assert harmless_number(value, lowest=0, highest=100) == right


def test_a_whole_number_of_any_length_costs_nothing():
    assert harmless_number(10**12, lowest=0, highest=1e15) == Decimal(10**12)
    assert harmless_number(10**12 + 1, lowest=0, highest=1e15) is None


def test_a_record_is_called_by_its_id():
    assert label_of({"id": 7}, "id") == "7"
    assert label_of({"id": 10**19 - 1}, "id") == str(10**19 - 1)
    assert label_of({"id": -(10**19) + 1}, "id") == str(-(10**19) + 1)
    assert label_of({"id": " a\n"}, "id") == "a"
    assert label_of({"id": "a" * 100}, "id") == "a" * 100


def test_a_record_without_a_usable_id_is_called_by_a_fingerprint():
    assert label_of({"id": 10**19}, "id").startswith("no-id-")
    assert label_of({"id": True}, "id") == label_of({"id": True}, "other") != label_of({"id": False}, "id")
    assert label_of("no record", "id").startswith("no-id-")


def test_a_long_id_is_cut_and_still_its_own():
    one, other = (label_of({"id": "a" * 100 + end}, "id") for end in "xy")
    assert one != other
    assert one[:80] == other[:80] == "a" * 80
    assert len(one) <= 100
