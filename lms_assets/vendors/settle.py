"""Reads a listing, and a second time when it drifted, so that the outcome can be trusted. No HTTP here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from lms_assets.vendors.listing import Listing, Record, Verdict

R = TypeVar("R")


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
    """Read what `fetch` lists, once, and once more when it drifted; `again` reads twice in any case.

    `convert` is applied to each record at once, so that only its result is kept: give a function that returns a
    compact row, or `as_it_is`. The second reading is the one returned. It is COMPLETE when it did not drift
    itself, or when both gave the same ids and as many as the vendor counts; with `again` the ids must be the
    same. Raises VendorError as the listing does.
    """
    first = _read(fetch(), convert)
    if first.listing.complete and not again:
        return _reading(first, first.listing.verdict, ())
    first.kept.clear()
    second = _read(fetch(), convert)
    same = first.ids == second.ids and first.listing.without_id == second.listing.without_id
    # A list that is short of the vendor's own count twice is cut off twice.
    if (same and not second.listing.count_disagrees) or (second.listing.complete and not again):
        return _reading(second, Verdict.COMPLETE, tuple(first.listing.reasons), passes=2)
    reasons = (*first.listing.reasons, *second.listing.reasons, "two readings gave different ids")
    return _reading(second, Verdict.DRIFTED, tuple(dict.fromkeys(reasons)), passes=2)


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
