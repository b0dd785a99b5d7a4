"""Taking in a vendor's listing: read it, let a rule turn each record into a row, and keep what the rule refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from lms_assets.assets.sync_run import Step
from lms_assets.domain.records.rejections import Rejected
from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.deactivation_limit import check_bad_records
from lms_assets.vendors.listing import Listing, Record, read_until_stable
from lms_assets.warehouse.bookkeeping.failures import RecordFailure

T = TypeVar("T")


@dataclass
class ListingResult(Generic[T]):
    """What a listing came to. `complete` says whether absence from it means anything."""

    accepted: list[T]
    rejected: list[Rejected]
    complete: bool
    reasons: list[str] = field(default_factory=list)
    rows: int = 0

    @property
    def bad(self) -> list[Rejected]:
        """Records that could not be read."""
        return [each for each in self.rejected if each.kind == "bad"]

    @property
    def excluded_ids(self) -> set[str]:
        """Ids of records that the rules leave out; they were seen, and do not count."""
        return {each.entity_id for each in self.rejected if each.kind == "excluded"}

    @property
    def bad_ids(self) -> set[str]:
        """Ids of records that could not be read; their stored rows stay as they are."""
        return {each.entity_id for each in self.bad}

    def proven_incomplete(self, reason: str) -> None:
        """Something shows that the listing lacks rows: nothing may be concluded from absence."""
        self.complete = False
        self.reasons.append(reason)

    def outcome(self) -> dict[str, Any]:
        """What `Step.write` is to note beside the rows: bad records, those left out, the verdict and why."""
        return {
            "failures": failures_of(self.rejected),
            "complete": self.complete,
            "skipped": len(self.excluded_ids),
            "details": {
                "listing_complete": self.complete,
                "listing_reasons": self.reasons[:10],
                "listing_rows": self.rows,
            },
        }


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
    accepted: list[T] = []
    rejected: list[Rejected] = []
    for result in reading.records:
        if isinstance(result, Rejected):
            rejected.append(result)
        else:
            accepted.append(result)
    step.progress(noun, reading.rows, reading.rows, last=True)
    return ListingResult(accepted, rejected, reading.complete, list(reading.reasons), reading.rows)


def refuse_too_many_bad(step: Step, listing_result: ListingResult[Any], rules: Rules) -> None:
    """Stop the sync when so many records are unreadable that the listing itself must be broken.

    Raises:
        TooManyBadRecords: more than the set share.
    """
    check_bad_records(
        step.key, len(listing_result.accepted) + len(listing_result.rejected), len(listing_result.bad), rules
    )


def describe(step: Step, listing_result: ListingResult[Any]) -> None:
    """Show in the metadata what the listing was worth and what was left out, by reason."""
    step.metadata["listing"] = (
        "complete" if listing_result.complete else "incomplete: " + "; ".join(listing_result.reasons[:3])
    )
    step.metadata["bad_records"] = len(listing_result.bad)
    step.metadata["left_out"] = by_reason(each for each in listing_result.rejected if each.kind == "excluded")


def is_excluded(result: Any) -> bool:
    """Whether a rule left the record out, rather than taken it or found it unreadable."""
    return isinstance(result, Rejected) and result.kind == "excluded"


def failures_of(rejected: Iterable[Rejected]) -> list[RecordFailure]:
    """The rejected records that somebody has to look at, as rows of `sync_failures`."""
    return [
        RecordFailure(each.entity_type, each.entity_id, each.reason) for each in rejected if each.kind != "excluded"
    ]


def by_reason(rejected: Iterable[Rejected]) -> dict[str, int]:
    """How many records each reason left out, most first."""
    return dict(Counter(each.reason for each in rejected).most_common(20))
