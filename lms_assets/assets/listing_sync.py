"""Taking in a vendor's listing: read it, let a rule turn each record into a row, and keep what the rule refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

from lms_assets.assets.sync_run import Step
from lms_assets.domain.records.values import Rejected
from lms_assets.domain.safety.confirmation import ListingResult
from lms_assets.domain.safety.deactivation_limit import check_bad_records
from lms_assets.vendors.listing import Listing, Record, read_until_stable
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.upsert.upsert import SyncCounts

T = TypeVar("T")


def take_in(
    step: Step,
    fetch: Callable[[], Listing],
    convert: Callable[[Record], T | Rejected],
    noun: str,
    *,
    again: bool = False,
) -> ListingResult[T]:
    """Read a listing to its end, resolved, and convert each record as it comes, so that no record is kept whole.

    Args:
        again: read it twice in any case, because nothing is stored that could show what it lacks.

    Raises:
        VendorError: the listing could not be read.
    """
    done = 0

    def convert_and_tell(record: Record) -> T | Rejected:
        nonlocal done
        done += 1
        step.progress(noun, done)
        return convert(record)

    reading = read_until_stable(fetch, convert=convert_and_tell, again=again)
    step.progress(noun, reading.rows, reading.rows, last=True)
    accepted = tuple(each for each in reading.records if not isinstance(each, Rejected))
    rejected = tuple(each for each in reading.records if isinstance(each, Rejected))
    return ListingResult(accepted, rejected, reading.complete, reading.reasons, reading.rows)


def refuse_too_many_bad(step: Step, listing: ListingResult[Any]) -> None:
    """Stop the sync when so many records are unreadable that the listing itself must be broken.

    Raises:
        TooManyBadRecords: more than the set share.
    """
    check_bad_records(step.key, len(listing.accepted) + len(listing.rejected), len(listing.bad), step.rules)


def write_listing(step: Step, work: Callable[[Connection], SyncCounts], listing: ListingResult[Any]) -> None:
    """Do the sync's writing, and note of the listing what it was worth, bad records, and what was left out and why.

    Args:
        work: see `Step.write`.
    """
    reasons = list(listing.reasons)
    step.write(
        work,
        failures=[each for each in listing.rejected if each.kind != "excluded"],
        complete=listing.complete,
        skipped=len(listing.excluded_ids),
        details={
            "listing_complete": listing.complete,
            "listing_reasons": reasons[:10],
            "listing_rows": listing.rows,
        },
    )
    step.metadata["listing"] = "complete" if listing.complete else "incomplete: " + "; ".join(reasons[:3])
    step.metadata["bad_records"] = len(listing.bad)
    left_out = Counter(each.reason for each in listing.rejected if each.kind == "excluded")
    step.metadata["left_out"] = dict(left_out.most_common(20))
