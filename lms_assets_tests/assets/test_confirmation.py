"""The one module by which absence and changes for the worse are confirmed: what it asks, and what it concludes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import pytest

from lms_assets.assets.confirmation import ASKED_AT_ONCE, SAMPLE, ById, ask_about
from lms_assets.domain.records.values import Rejected
from lms_assets.domain.safety.confirmation import (
    Answers,
    Doubt,
    ListingResult,
    confirm_changed,
    confirm_deleted,
    confirm_missing,
    is_excluded,
)

KNOWN = range(1, 11)


class Vendor:
    """Answers by id from what it holds, and remembers what it was asked."""

    def __init__(self, holds: Collection[int]) -> None:
        self.holds = set(holds)
        self.asked: list[list[int]] = []

    def ask(self, ids: Sequence[int]) -> Mapping[int, Any]:
        self.asked.append(list(ids))
        return {each: {"Id": each} for each in ids if each in self.holds}


COMPLETE: ListingResult[Any] = ListingResult()
INCOMPLETE: ListingResult[Any] = ListingResult(complete=False)


def by_id(vendor: Vendor, known: Collection[int] = KNOWN, **more: Any) -> ById[int, Any]:
    return ById(vendor.ask, more.pop("convert", lambda record: record), known, **more)


def test_who_is_missing_and_does_not_answer_is_gone():
    vendor = Vendor(KNOWN)
    assert confirm_missing(COMPLETE, by_id(vendor).answers([20, 21])) == (COMPLETE, {20, 21})
    assert vendor.asked == [[1, 2, 9, 10, 20, 21]]


def test_one_that_answers_proves_the_listing_incomplete_and_nobody_is_deactivated():
    listing, gone = confirm_missing(COMPLETE, by_id(Vendor([*KNOWN, 20])).answers([20, 21]))
    assert (gone, listing.complete) == (set(), False)
    assert listing.reasons == ("a record that the listing lacks is still there when asked for by id",)


def test_one_that_answers_and_belongs_in_no_listing_proves_nothing_against_it():
    answers = by_id(Vendor([*KNOWN, 20]), belongs=lambda record: False).answers([20, 21])
    assert confirm_missing(COMPLETE, answers) == (COMPLETE, {20, 21})


def test_an_incomplete_listing_confirms_no_absence_and_no_doubt_costs_no_call():
    vendor = Vendor(KNOWN)
    assert confirm_missing(INCOMPLETE, by_id(vendor).answers([20]))[1] == set()
    assert ask_about({Doubt.ABSENT: [], Doubt.EXCLUDED: ()}, by_id(vendor)) == {}
    assert (len(vendor.asked), by_id(vendor).answers([]).found) == (1, {})


CONFIRM: dict[str, Callable[[Answers[int, Any]], tuple[ListingResult[Any], frozenset[int]]]] = {
    "absent": lambda answers: confirm_missing(COMPLETE, answers),
    "changed": lambda answers: confirm_changed(COMPLETE, answers, lambda each: True),
    "deleted": lambda answers: confirm_deleted(COMPLETE, answers),
}


@pytest.mark.parametrize("how", CONFIRM)
def test_an_answer_without_its_control_records_is_not_believed_whatever_was_asked(how: str):
    listing, confirmed = CONFIRM[how](by_id(Vendor([2, 9, 10])).answers([20]))
    assert confirmed == set()
    assert "lacks 1 of 4 control records" in listing.reasons[0]


@pytest.mark.parametrize("how", CONFIRM)
def test_without_any_control_record_nothing_is_asked_and_nothing_concluded(how: str):
    vendor = Vendor([])
    listing, confirmed = CONFIRM[how](by_id(vendor, known=[20]).answers([20]))
    assert (confirmed, listing.complete, vendor.asked) == (set(), False, [])


def test_control_records_are_found_elsewhere_where_none_is_known():
    vendor = Vendor([70, 71])
    answers = by_id(vendor, known=[], others=lambda: [70, 71, 20]).answers([20])
    assert confirm_deleted(COMPLETE, answers) == (COMPLETE, {20})
    assert vendor.asked == [[70, 71, 20]]


def test_every_part_of_the_question_has_the_control_records():
    vendor, wanted = Vendor(KNOWN), range(100, 100 + ASKED_AT_ONCE + 1)
    assert confirm_deleted(COMPLETE, by_id(vendor).answers(wanted)) == (COMPLETE, set(wanted))
    assert [(len(part), part[:4]) for part in vendor.asked] == [(ASKED_AT_ONCE + 4, [1, 2, 9, 10]), (5, [1, 2, 9, 10])]


def test_a_change_is_confirmed_when_all_say_so_again_or_are_gone():
    excluded = Rejected("excluded", "contact", "20", "why")
    holding = by_id(Vendor([*KNOWN, 20]), convert=lambda record: excluded)
    assert confirm_changed(COMPLETE, holding.answers([20, 21]), is_excluded) == (COMPLETE, {20, 21})
    listing, changed = confirm_changed(COMPLETE, by_id(Vendor([*KNOWN, 20])).answers([20, 21]), is_excluded)
    assert (changed, listing.complete) == (set(), False)


def test_what_the_log_of_deletions_names_and_answers_stays_and_the_others_go():
    assert confirm_deleted(COMPLETE, by_id(Vendor([*KNOWN, 20])).answers([20, 21])) == (COMPLETE, {21})


def test_of_more_than_the_limit_a_sample_is_asked_for_but_of_lost_emails_each_one():
    wanted = range(100, 200)
    for doubt, limit, asked in (
        (Doubt.ABSENT, 99, SAMPLE),
        (Doubt.ABSENT, 100, len(wanted)),
        (Doubt.WITHOUT_EMAIL, 99, len(wanted)),
    ):
        vendor = Vendor(KNOWN)
        answers = ask_about({doubt: wanted}, by_id(vendor, sample_beyond=limit))[doubt]
        assert confirm_missing(COMPLETE, answers) == (COMPLETE, set(wanted))
        assert sum(len(part) - 4 for part in vendor.asked) == asked
