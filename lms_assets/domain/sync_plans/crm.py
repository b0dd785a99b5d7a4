"""Which stored CRM records leave: those that a listing lacks, and those that a rule leaves out now."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from lms_assets.domain.records.contacts import StoredContact
from lms_assets.domain.records.partners import Partner, PartnerAssignment, StoredPartner, assign_partner_rows
from lms_assets.domain.safety.confirmation import (
    Answers,
    Doubt,
    ListingResult,
    confirm_changed,
    confirm_missing,
    is_excluded,
)

T = TypeVar("T")


def rows_by_crm_id(stored: Iterable[StoredPartner | StoredContact]) -> dict[int, tuple[int, ...]]:
    """CRM id to its active rows: an adopted portal may hold an account twice."""
    found: dict[int, tuple[int, ...]] = {}
    for row in stored:
        if row.is_active and row.impartner_id is not None:
            found[row.impartner_id] = (*found.get(row.impartner_id, ()), row.id)
    return found


def doubtful_records(
    listing: ListingResult[T], listed: Collection[int], active: Collection[int]
) -> dict[Doubt, list[int]]:
    """Which CRM records to ask for by id: those that are missing, and those that a rule leaves out now.

    Args:
        listed: CRM ids of every record that came, whatever the rule made of it.
        active: CRM ids of active rows.
    """
    excluded = listing.excluded_ids
    return {
        Doubt.ABSENT: sorted(set(active) - set(listed)) if listing.complete else [],
        Doubt.EXCLUDED: sorted(crm_id for crm_id in active if str(crm_id) in excluded),
    }


def confirm_leaving(
    listing: ListingResult[T], answers: Mapping[Doubt, Answers[int, T]]
) -> tuple[ListingResult[T], frozenset[int]]:
    """The listing, incomplete where answers contradict it, and the CRM ids that are gone or left out by a rule now."""
    listing, gone = confirm_missing(listing, answers.get(Doubt.ABSENT))
    listing, excluded = confirm_changed(listing, answers.get(Doubt.EXCLUDED), is_excluded)
    return listing, gone | excluded if listing.complete else frozenset()


@dataclass(frozen=True)
class PartnerPlan:
    """What is to be written of the partners.

    Attributes:
        listing: what was read, incomplete where answers by id contradict it.
        leaving: ids of rows whose account is gone or counts no longer.
    """

    listing: ListingResult[Partner]
    assignment: PartnerAssignment
    leaving: frozenset[int]


def plan_partners(
    listing: ListingResult[Partner], stored: Sequence[StoredPartner], answers: Mapping[Doubt, Answers[int, Partner]]
) -> PartnerPlan:
    """Decide what the listing changes, given what accounts in doubt answered by id (`crm.doubtful_records`)."""
    active = rows_by_crm_id(stored)
    listing, gone = confirm_leaving(listing, answers)
    assignment = assign_partner_rows(listing.accepted, stored, complete=listing.complete)
    kept = {row_id for row_id, _ in assignment.rows}
    return PartnerPlan(listing, assignment, frozenset(row_id for crm_id in gone for row_id in active[crm_id]) - kept)
