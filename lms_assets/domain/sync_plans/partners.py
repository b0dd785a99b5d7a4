"""What a sync of the partners writes: each account with its row and its name, and which rows leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lms_assets.domain.records.partner_rows import PartnerAssignment, StoredPartner, assign_partner_rows
from lms_assets.domain.records.partners import Partner
from lms_assets.domain.safety.confirmation import Answers, Doubt, ListingResult
from lms_assets.domain.sync_plans.crm import confirm_leaving, rows_by_crm_id


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
