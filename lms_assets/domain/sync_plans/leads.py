"""What a sync of the leads writes, and which leads go."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from lms_assets.domain.records.leads import Lead, LeadRecord
from lms_assets.domain.records.values import Rejected
from lms_assets.domain.safety.confirmation import (
    Answers,
    Doubt,
    ListingResult,
    confirm_changed,
    confirm_deleted,
    confirm_missing,
)


@dataclass(frozen=True)
class LeadPlan:
    """What is to be written of the leads.

    Attributes:
        listing: what was read, incomplete where answers by id contradict it.
        rows: leads to take up or bring up to date. Those that are over are not written, stored or not.
        leaving: Impartner ids of stored leads that are gone or over.
    """

    listing: ListingResult[LeadRecord]
    rows: tuple[Lead, ...]
    leaving: frozenset[int]


def doubtful_leads(
    listing: ListingResult[LeadRecord], stored: Collection[int], deleted: Collection[int], *, full: bool
) -> dict[Doubt, list[int]]:
    """Which stored leads to ask for by id, by their Impartner ids.

    Args:
        stored: Impartner ids of the rows in `leads`.
        deleted: what the CRM's log calls deleted.
        full: the listing was of all leads with a partner, so that one which it lacks may be gone.
    """
    known = set(stored)
    over = {each.lead.impartner_id for each in listing.accepted if each.over is not None}
    listed = {str(each.lead.impartner_id) for each in listing.accepted} | listing.bad_ids
    missing = {each for each in known if str(each) not in listed} if full and listing.complete else set()
    doubts = {Doubt.ABSENT: missing, Doubt.DELETED: known & set(deleted), Doubt.OVER: known & over}
    return {doubt: sorted(ids) for doubt, ids in doubts.items()}


def plan_leads(
    listing: ListingResult[LeadRecord], answers: Mapping[Doubt, Answers[int, LeadRecord]] | None = None
) -> LeadPlan:
    """Decide what the listing changes, given what leads in doubt answered by id (`doubtful_leads`)."""
    answers = answers or {}
    rows = tuple(each.lead for each in listing.accepted if each.over is None)
    was_complete = listing.complete
    listing, gone = confirm_missing(listing, answers.get(Doubt.ABSENT))
    listing, deleted = confirm_deleted(listing, answers.get(Doubt.DELETED))
    listing, over = confirm_changed(listing, answers.get(Doubt.OVER), _is_over)
    # An answer that proves damaged makes the ones before it doubtful too.
    doubtful = was_complete and not listing.complete
    return LeadPlan(listing, rows, frozenset() if doubtful else gone | deleted | over)


def _is_over(answer: LeadRecord | Rejected) -> bool:
    return isinstance(answer, LeadRecord) and answer.over is not None
