"""A vendor's listing as a stream of records, and the evidence whether it was all of them. No HTTP here.

Both vendors page by offset over live data, so a row added or removed while paging shifts the pages: one row
comes twice and another not at all. A listing therefore ends with a verdict, and only COMPLETE proves absence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar

from lms_assets.vendors.transport.errors import UnexpectedAnswer, VendorError

Record = dict[str, Any]

MAXIMUM_PAGES = 5_000
BARREN_PAGES = 3
MAXIMUM_REASONS = 20


class Completeness(StrEnum):
    """How much a listing proves."""

    COMPLETE = "complete"
    """Every page came, and nothing moved while paging."""
    DRIFTED = "drifted"
    """Every page came, and the data moved or the pages contradict each other: rows may be missing."""
    PARTIAL = "partial"
    """It was not read to its end."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page as the client read it. `count` is the vendor's own total, where there is one."""

    records: list[Record]
    more: bool
    count: int | None = None
    reasons: tuple[str, ...] = ()
    not_found: bool = False


class Listing(Iterable[Record]):
    """Iterable once. Pages are fetched while iterating and not kept; each id is yielded once, as it came first.

    After the last record `completeness` is COMPLETE or DRIFTED and `reasons` say why; before it, or when an error
    ended it, PARTIAL. `pages` and `rows` count what came (repeated rows too), `reported_count` is what the
    vendor said last. Iterating raises VendorError.

    `filter_ignored`: a row that the filter excludes came back, so this is a full listing whatever was asked for
    (Northpass API, filter trust). `not_found`: the answer was 404 where that can mean an empty list or a parent
    that is gone. `count_disagrees`: another number of rows came than the vendor counted. `without_id`: records
    that hold no readable id; they are yielded, and the listing proves no absence, since one of them may be it.
    """

    def __init__(
        self,
        vendor: str,
        label: str,
        pages: Iterable[Page],
        *,
        identity: Callable[[Record], object],
        ascending: bool = False,
        passes_filter: Callable[[Record], bool] | None = None,
    ) -> None:
        self.vendor = vendor
        self.label = label
        self.completeness = Completeness.PARTIAL
        self.reasons: list[str] = []
        self.pages = 0
        self.rows = 0
        self.reported_count: int | None = None
        self.count_disagrees = False
        self.without_id = 0
        self.filter_ignored = False
        self.not_found = False
        self._source = pages
        self.identity = identity
        self._ascending = ascending
        self._passes_filter = passes_filter
        self._seen: set[object] = set()
        self._highest: int | None = None
        self._full_page = 0
        self._first_count: int | None = None
        self._barren = 0
        self._started = False

    def __repr__(self) -> str:
        return f"Listing({self.vendor}, {self.label}, {self.completeness}, {self.rows} rows on {self.pages} pages)"

    @property
    def complete(self) -> bool:
        """True when the listing proves that what it lacks is not there."""
        return self.completeness is Completeness.COMPLETE

    def __iter__(self) -> Iterator[Record]:
        if self._started:
            raise RuntimeError("a listing can be read once; ask the client for another")
        self._started = True
        return self._read()

    def _read(self) -> Iterator[Record]:
        try:
            for page in self._source:
                self._take_note_of(page)
                yield from self._new_records(page)
        except VendorError as error:
            self._doubt(f"page {self.pages + 1} could not be read ({type(error).__name__})")
            raise
        self._compare_with_count()
        self.completeness = Completeness.DRIFTED if self.reasons else Completeness.COMPLETE
        self._seen.clear()

    def _new_records(self, page: Page) -> Iterator[Record]:
        fresh = 0
        for record in page.records:
            self.rows += 1
            if self._passes_filter is not None and not self._passes_filter(record):
                self.filter_ignored = True
            if self._is_new(record):
                fresh += 1
                yield record
        self._barren = 0 if fresh else self._barren + 1
        if page.more and self._barren >= BARREN_PAGES:
            self._endless("pages keep coming with nothing new on them")
        if page.more and self.pages >= MAXIMUM_PAGES:
            self._endless(f"there are more than {MAXIMUM_PAGES} pages")

    def _is_new(self, record: Record) -> bool:
        identity = self.identity(record)
        if identity is None:
            self.without_id += 1
            self._doubt("records without a readable id came")
            return True
        if identity in self._seen:
            self._doubt(f"an id came twice (page {self.pages})")
            return False
        self._seen.add(identity)
        if self._ascending and isinstance(identity, int):
            if self._highest is not None and identity < self._highest:
                self._doubt(f"the ids do not ascend (page {self.pages})")
            self._highest = max(identity, self._highest or identity)
        return True

    def _take_note_of(self, page: Page) -> None:
        self.pages += 1
        self.not_found = self.not_found or page.not_found
        for reason in page.reasons:
            self._doubt(reason)
        if self.pages == 1:
            self._full_page = len(page.records)
            self._first_count = page.count
        elif page.more and len(page.records) != self._full_page:
            self._doubt(f"page {self.pages} is short, and it is not the last")
        elif len(page.records) > self._full_page:
            self._doubt("page 1 is short, and it is not the last")
        if page.count is not None:
            self.reported_count = page.count
        if page.count != self._first_count:
            self._doubt("the vendor's own count changed while paging")

    def _compare_with_count(self) -> None:
        distinct = len(self._seen) + self.without_id
        if self.reported_count is not None and distinct != self.reported_count:
            self.count_disagrees = True
            self._doubt(f"{distinct} rows came, and the vendor counts {self.reported_count}")

    def _doubt(self, reason: str) -> None:
        if reason not in self.reasons and len(self.reasons) < MAXIMUM_REASONS:
            self.reasons.append(reason)

    def _endless(self, problem: str) -> None:
        remedy = "Try again later; if it stays, ask the vendor how this list ends"
        raise UnexpectedAnswer(self.vendor, self.label, None, problem, remedy)


R = TypeVar("R")

MAXIMUM_PASSES = 3


@dataclass(frozen=True, slots=True)
class Reading(Generic[R]):
    """Everything a listing gave, with its verdict: see Listing for the fields of the same names."""

    records: list[R]
    completeness: Completeness
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
        return self.completeness is Completeness.COMPLETE


def as_it_is(record: Record) -> Record:
    """Keep the whole record."""
    return record


@dataclass(slots=True)
class _Pass(Generic[R]):
    listing: Listing
    kept: list[R] = field(default_factory=list)
    ids: set[Any] = field(default_factory=set)


def read_until_stable(
    fetch: Callable[[], Listing],
    *,
    convert: Callable[[Record], R],
    again: bool = False,
) -> Reading[R]:
    """Read what `fetch` lists; when it drifted once or twice more, until it is resolved. `again`: twice in any case.

    `convert` is applied to each record at once, so that only its result is kept: give a function that returns a
    compact row, or `as_it_is`. The last reading is the one returned. It is COMPLETE when it gave the same ids as
    the one before, or (without `again`) when it did not drift itself and lacks no id that the one before gave.
    A reading short of the vendor's own count, or with records without an id, is never resolved by another like it.
    Raises VendorError as the listing does.
    """
    last = _read(fetch(), convert)
    if last.listing.complete and not again:
        return _reading(last, Completeness.COMPLETE, ())
    doubts = dict.fromkeys(last.listing.reasons)
    for passes in range(2, MAXIMUM_PASSES + 1):
        before = last.ids
        last.kept.clear()
        last = _read(fetch(), convert)
        doubts |= dict.fromkeys(last.listing.reasons)
        contradicts_itself = last.listing.count_disagrees or last.listing.without_id
        agree = before == last.ids and not contradicts_itself
        resolved = agree or (last.listing.complete and not again and before <= last.ids)
        if resolved:
            return _reading(last, Completeness.COMPLETE, tuple(doubts), passes)
    return _reading(last, Completeness.DRIFTED, (*doubts, "no two readings agree"), MAXIMUM_PASSES)


def _read(listing: Listing, convert: Callable[[Record], R]) -> _Pass[R]:
    result: _Pass[R] = _Pass(listing)
    for record in listing:
        result.ids.add(listing.identity(record))
        result.kept.append(convert(record))
    return result


def _reading(read: _Pass[R], completeness: Completeness, reasons: tuple[str, ...], passes: int = 1) -> Reading[R]:
    listing = read.listing
    return Reading(
        records=read.kept,
        completeness=completeness,
        reasons=reasons,
        pages=listing.pages,
        rows=listing.rows,
        reported_count=listing.reported_count,
        without_id=listing.without_id,
        filter_ignored=listing.filter_ignored,
        not_found=listing.not_found,
        passes=passes,
    )
