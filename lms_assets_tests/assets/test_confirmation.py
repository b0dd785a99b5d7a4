"""The one module by which absence and changes for the worse are confirmed: what it asks, and what it concludes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import pytest

from lms_assets.assets.confirmation import (
    ASKED_AT_ONCE,
    SAMPLE,
    ById,
    confirm_changed,
    confirm_deleted,
    confirm_missing,
    read_again,
)
from lms_assets.assets.listing_sync import ListingResult, is_excluded
from lms_assets.domain.records.rejections import Rejected

KNOWN = range(1, 11)


class Vendor:
    """Answers by id from what it holds, and remembers what it was asked."""

    def __init__(self, holds: Collection[int]) -> None:
        self.holds = set(holds)
        self.asked: list[list[int]] = []

    def ask(self, ids: Sequence[int]) -> Mapping[int, Any]:
        self.asked.append(list(ids))
        return {each: {"Id": each} for each in ids if each in self.holds}


def listing(*, complete: bool = True) -> ListingResult[Any]:
    return ListingResult([], [], complete)


def by_id(vendor: Vendor, known: Collection[int] = KNOWN, **more: Any) -> ById[int, Any]:
    return ById(vendor.ask, more.pop("convert", lambda record: record), known, **more)


def test_who_is_missing_and_does_not_answer_is_gone():
    vendor, listing_result = Vendor(KNOWN), listing()
    assert confirm_missing(listing_result, by_id(vendor), [20, 21]) == {20, 21}
    assert vendor.asked == [[1, 2, 9, 10, 20, 21]]
    assert listing_result.complete


def test_one_that_answers_proves_the_listing_incomplete_and_nobody_is_deactivated():
    listing_result = listing()
    assert confirm_missing(listing_result, by_id(Vendor([*KNOWN, 20])), [20, 21]) == set()
    assert not listing_result.complete
    assert listing_result.reasons == ["a record that the listing lacks is still there when asked for by id"]


def test_one_that_answers_and_belongs_in_no_listing_proves_nothing_against_it():
    assert confirm_missing(listing(), by_id(Vendor([*KNOWN, 20]), belongs=lambda record: False), [20, 21]) == {20, 21}


def test_an_incomplete_listing_confirms_no_absence_and_costs_no_call():
    vendor = Vendor(KNOWN)
    assert confirm_missing(listing(complete=False), by_id(vendor), [20]) == set()
    assert confirm_missing(listing(), by_id(vendor), []) == set()
    assert vendor.asked == []


CONFIRM: dict[str, Callable[[ListingResult[Any], ById[int, Any]], object]] = {
    "absent": lambda listing_result, source: confirm_missing(listing_result, source, [20]),
    "changed": lambda listing_result, source: confirm_changed(listing_result, source, [20], lambda each: True),
    "deleted": lambda listing_result, source: confirm_deleted(listing_result, source, [20]),
    "read again": lambda listing_result, source: set(read_again(listing_result, source, [20])),
}


@pytest.mark.parametrize("how", CONFIRM)
def test_an_answer_without_its_control_records_is_not_believed_whatever_was_asked(how: str):
    listing_result = listing()
    assert CONFIRM[how](listing_result, by_id(Vendor([2, 9, 10]))) == set()
    assert "lacks 1 of 4 control records" in listing_result.reasons[0]


@pytest.mark.parametrize("how", CONFIRM)
def test_without_any_control_record_nothing_is_asked_and_nothing_concluded(how: str):
    vendor, listing_result = Vendor([]), listing()
    assert CONFIRM[how](listing_result, by_id(vendor, known=[20])) == set()
    assert not listing_result.complete
    assert vendor.asked == []


def test_control_records_are_found_elsewhere_where_none_is_known():
    vendor = Vendor([70, 71])
    assert confirm_deleted(listing(), by_id(vendor, known=[], others=lambda: [70, 71, 20]), [20]) == {20}
    assert vendor.asked == [[70, 71, 20]]


def test_every_part_of_the_question_has_the_control_records():
    vendor, wanted = Vendor(KNOWN), range(100, 100 + ASKED_AT_ONCE + 1)
    assert confirm_deleted(listing(), by_id(vendor), wanted) == set(wanted)
    assert [(len(part), part[:4]) for part in vendor.asked] == [(ASKED_AT_ONCE + 4, [1, 2, 9, 10]), (5, [1, 2, 9, 10])]


def test_a_change_is_confirmed_when_all_say_so_again_or_are_gone():
    excluded = Rejected("excluded", "contact", "20", "why")
    holding = by_id(Vendor([*KNOWN, 20]), convert=lambda record: excluded)
    assert confirm_changed(listing(), holding, [20, 21], is_excluded) == {20, 21}
    listing_result = listing()
    assert confirm_changed(listing_result, by_id(Vendor([*KNOWN, 20])), [20, 21], is_excluded) == set()
    assert not listing_result.complete


def test_what_the_log_of_deletions_names_and_answers_stays_and_the_others_go():
    listing_result = listing()
    assert confirm_deleted(listing_result, by_id(Vendor([*KNOWN, 20])), [20, 21]) == {21}
    assert listing_result.complete


def test_of_more_than_the_limit_a_sample_is_asked_for():
    vendor, wanted = Vendor(KNOWN), range(100, 200)
    assert confirm_missing(listing(), by_id(vendor, sample_beyond=99), wanted) == set(wanted)
    assert sum(len(part) - 4 for part in vendor.asked) == SAMPLE
    again = Vendor(KNOWN)
    confirm_missing(listing(), by_id(again, sample_beyond=100), wanted)
    assert sum(len(part) - 4 for part in again.asked) == len(wanted)


def test_records_read_again_are_those_that_answer_and_are_taken():
    bad = Rejected("bad", "contact", "21", "why")
    vendor = Vendor([*KNOWN, 20, 21])
    convert = lambda record: bad if record["Id"] == 21 else record  # noqa: E731
    assert read_again(listing(), by_id(vendor, convert=convert), [20, 21, 22]) == {20: {"Id": 20}}
