"""Taking in a vendor's listing: read it, let a rule turn each record into a row, and keep what the rule refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

from lms_assets.assets.sync_run import Step
from lms_assets.domain.records.values import Rejected
from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.confirmation import ListingResult
from lms_assets.domain.safety.deactivation_limit import check_bad_records
from lms_assets.vendors.listing import Listing, Record, read_until_stable

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


def refuse_too_many_bad(step: Step, listing: ListingResult[Any], rules: Rules) -> None:
    """Stop the sync when so many records are unreadable that the listing itself must be broken.

    Raises:
        TooManyBadRecords: more than the set share.
    """
    check_bad_records(step.key, len(listing.accepted) + len(listing.rejected), len(listing.bad), rules)


def describe(step: Step, listing: ListingResult[Any]) -> None:
    """Show in the metadata what the listing was worth and what was left out, by reason."""
    step.metadata["listing"] = "complete" if listing.complete else "incomplete: " + "; ".join(listing.reasons[:3])
    step.metadata["bad_records"] = len(listing.bad)
    left_out = Counter(each.reason for each in listing.rejected if each.kind == "excluded")
    step.metadata["left_out"] = dict(left_out.most_common(20))


def outcome(listing: ListingResult[Any]) -> dict[str, Any]:
    """What `Step.write` is to note beside the rows: bad records, those left out, whether it was complete, and why."""
    return {
        "failures": [each for each in listing.rejected if each.kind != "excluded"],
        "complete": listing.complete,
        "skipped": len(listing.excluded_ids),
        "details": {
            "listing_complete": listing.complete,
            "listing_reasons": list(listing.reasons[:10]),
            "listing_rows": listing.rows,
        },
    }
