"""A drifted listing is read a second time, and what that proves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lms_assets.vendors.listing import Completeness, Listing, Page, as_it_is, read_until_stable
from lms_assets.vendors.transport.errors import VendorUnavailable


def listing_of(*pages: list[int | None], fails: bool = False, count: int | None = None) -> Listing:
    def produce() -> Iterator[Page]:
        for number, page in enumerate(pages, start=1):
            yield Page([{"id": value and str(value)} for value in page], more=number < len(pages) or fails, count=count)
        if fails:
            raise VendorUnavailable("Northpass", "GET /people", 503, "a problem", "A remedy")

    return Listing("Northpass", "GET /people", produce(), identity=lambda record: record["id"])


def in_turn(*listings: Listing) -> Callable[[], Listing]:
    remaining = iter(listings)
    return lambda: next(remaining)


def test_a_complete_listing_is_read_once() -> None:
    reading = read_until_stable(in_turn(listing_of([1, 2], [3])), convert=lambda record: int(record["id"]))
    assert reading.records == [1, 2, 3]
    assert (reading.completeness, reading.passes) == (Completeness.COMPLETE, 1)


def test_a_second_reading_without_drift_resolves_it() -> None:
    reading = read_until_stable(in_turn(listing_of([1, 2], [2, 3]), listing_of([1, 2], [3, 4])), convert=as_it_is)
    assert [record["id"] for record in reading.records] == ["1", "2", "3", "4"]
    assert reading.complete
    assert reading.reasons == ("an id came twice (page 2)",)


def test_two_drifted_readings_of_the_same_ids_are_complete() -> None:
    reading = read_until_stable(in_turn(listing_of([1, 2], [2, 3]), listing_of([1, 2], [2, 3])), convert=as_it_is)
    assert reading.complete
    assert len(reading.records) == 3


def test_two_drifted_readings_of_different_ids_are_not_complete() -> None:
    reading = read_until_stable(in_turn(*(listing_of([1, 2], [2, other]) for other in (3, 4, 5))), convert=as_it_is)
    assert (reading.completeness, reading.passes) == (Completeness.DRIFTED, 3)
    assert "no two readings agree" in reading.reasons


def test_a_clean_second_reading_that_lacks_what_the_first_gave_needs_a_third() -> None:
    drifted, short, whole = [[1, 2], [2, 3]], [[1, 2]], [[1, 2], [3]]
    assert read_until_stable(in_turn(*(listing_of(*one) for one in (drifted, short, short))), convert=as_it_is).complete
    third = read_until_stable(in_turn(*(listing_of(*one) for one in (drifted, short, whole))), convert=as_it_is)
    assert third.complete
    assert len(third.records) == 3


def test_readings_with_records_without_an_id_prove_no_absence() -> None:
    reading = read_until_stable(lambda: listing_of([1, None]), convert=as_it_is)
    assert (reading.completeness, reading.without_id, len(reading.records)) == (Completeness.DRIFTED, 1, 2)


def test_two_readings_that_are_both_short_of_the_vendors_count_are_not_complete() -> None:
    reading = read_until_stable(in_turn(*(listing_of([1, 2], count=3) for _ in range(3))), convert=as_it_is)
    assert reading.completeness is Completeness.DRIFTED


def test_reading_again_on_purpose_wants_the_same_ids_twice() -> None:
    assert read_until_stable(in_turn(listing_of([1]), listing_of([1])), convert=as_it_is, again=True).complete
    other = in_turn(listing_of([1, 2]), listing_of([1]), listing_of([1, 2]))
    assert not read_until_stable(other, convert=as_it_is, again=True).complete


def test_an_error_is_raised_and_never_becomes_a_reading() -> None:
    with pytest.raises(VendorUnavailable):
        read_until_stable(in_turn(listing_of([1, 2], fails=True)), convert=as_it_is)


def test_only_what_convert_gives_is_kept() -> None:
    kept: list[Any] = read_until_stable(in_turn(listing_of([1])), convert=lambda record: None).records
    assert kept == [None]
