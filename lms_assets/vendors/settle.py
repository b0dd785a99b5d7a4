"""Reads a listing, and again when it drifted, so that the outcome can be trusted. No HTTP here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from lms_assets.vendors.listing import Listing, Record, Verdict

R = TypeVar("R")

MAXIMUM_PASSES = 3


@dataclass(frozen=True, slots=True)
class Reading(Generic[R]):
    """Everything a listing gave, with its verdict: see Listing for the fields of the same names."""

    records: list[R]
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    pages: int = 0
    rows: int = 0
    reported_count: int | None = None
    without_id: int = 0
    filter_ignored: bool = False
    not_found: bool = False
    passes: int = 1

    @property
    def complete(self) -> bool:
        """True when the reading proves that what it lacks is not there."""
        return self.verdict is Verdict.COMPLETE


def as_it_is(record: Record) -> Record:
    """Keep the whole record."""
    return record


@dataclass(slots=True)
class _Pass(Generic[R]):
    listing: Listing
    kept: list[R] = field(default_factory=list)
    ids: set[Any] = field(default_factory=set)


def read_settled(
    fetch: Callable[[], Listing],
    *,
    convert: Callable[[Record], R],
    again: bool = False,
) -> Reading[R]:
    """Read what `fetch` lists; when it drifted once or twice more, until it is settled. `again`: twice in any case.

    `convert` is applied to each record at once, so that only its result is kept: give a function that returns a
    compact row, or `as_it_is`. The last reading is the one returned. It is COMPLETE when it gave the same ids as
    the one before, or (without `again`) when it did not drift itself and lacks no id that the one before gave.
    A reading short of the vendor's own count, or with records without an id, is never settled by another like it.
    Raises VendorError as the listing does.
    """
    last = _read(fetch(), convert)
    if last.listing.complete and not again:
        return _reading(last, Verdict.COMPLETE, ())
    doubts = dict.fromkeys(last.listing.reasons)
    for passes in range(2, MAXIMUM_PASSES + 1):
        before, last = last.ids, _read(fetch(), convert)
        doubts |= dict.fromkeys(last.listing.reasons)
        contradicts_itself = last.listing.count_disagrees or last.listing.without_id
        agree = before == last.ids and not contradicts_itself
        settled = agree or (last.listing.complete and not again and before <= last.ids)
        if settled:
            return _reading(last, Verdict.COMPLETE, tuple(doubts), passes)
    return _reading(last, Verdict.DRIFTED, (*doubts, "no two readings agree"), MAXIMUM_PASSES)


def _read(listing: Listing, convert: Callable[[Record], R]) -> _Pass[R]:
    result: _Pass[R] = _Pass(listing)
    for record in listing:
        result.ids.add(listing.identity(record))
        result.kept.append(convert(record))
    return result


def _reading(read: _Pass[R], verdict: Verdict, reasons: tuple[str, ...], passes: int = 1) -> Reading[R]:
    listing = read.listing
    return Reading(
        records=read.kept,
        verdict=verdict,
        reasons=reasons,
        pages=listing.pages,
        rows=listing.rows,
        reported_count=listing.reported_count,
        without_id=listing.without_id,
        filter_ignored=listing.filter_ignored,
        not_found=listing.not_found,
        passes=passes,
    )
