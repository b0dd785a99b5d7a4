"""Which partners and contacts left the CRM since the last look, worked out for one object at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from lms_assets.domain.records.contacts import Contact, StoredContact, rows_with_successor
from lms_assets.domain.records.partners import StoredPartner
from lms_assets.domain.safety.confirmation import (
    Answers,
    Doubt,
    ListingResult,
    confirm_changed,
    confirm_deleted,
    is_excluded,
)
from lms_assets.domain.sync_plans.contacts import Employers
from lms_assets.domain.sync_plans.crm import rows_by_crm_id

T = TypeVar("T")
Kept = Callable[[Sequence[Any], Sequence[Any], Collection[int]], set[int]]
"""Of stored rows of which some (ids) leave, those that a record as the CRM has it now takes over."""
Stored = StoredPartner | StoredContact


@dataclass(frozen=True)
class CrmDeactivations:
    """What one object of the CRM said.

    Attributes:
        leaving: ids of rows that leave.
        further: CRM ids of further contacts (`contact_affiliations`) that are over.
        changed: how many records changed since the last look. `deleted`: how many the CRM's log calls deleted.
    """

    leaving: frozenset[int] = frozenset()
    further: frozenset[int] = frozenset()
    changed: int = 0
    deleted: int = 0
    complete: bool = True
    reasons: tuple[str, ...] = ()


def doubtful_changes(
    listing: ListingResult[T], deleted: Collection[int], known: Collection[int]
) -> dict[Doubt, list[int]]:
    """Which records to ask for by id: those that a rule leaves out now, and those that the log calls deleted.

    Args:
        known: CRM ids of active rows and of further contacts.
    """
    excluded = listing.excluded_ids
    return {
        Doubt.EXCLUDED: sorted(crm_id for crm_id in known if str(crm_id) in excluded),
        Doubt.DELETED: sorted(set(deleted) & set(known)),
    }


def confirm_departed(
    listing: ListingResult[T], stored: Sequence[Stored], answers: Mapping[Doubt, Answers[int, T]]
) -> tuple[ListingResult[T], frozenset[int], frozenset[int]]:
    """The listing as far as answers do not contradict it, CRM ids that left, and the rows that these would take along.

    Both are empty on a listing that is incomplete: an answer that proves damaged makes the ones before doubtful too.
    """
    listing, excluded = confirm_changed(listing, answers.get(Doubt.EXCLUDED), is_excluded)
    listing, deleted = confirm_deleted(listing, answers.get(Doubt.DELETED))
    if not listing.complete:
        return listing, frozenset(), frozenset()
    active = rows_by_crm_id(stored)
    left = excluded | deleted
    return listing, left, frozenset(row_id for crm_id in left for row_id in active.get(crm_id, ()))


def kept_contacts(employers: Employers, partner_of_row: Mapping[int, int | None]) -> Kept:
    """The rule for contacts: a row is kept when another contact of the same partner has its e-mail now.

    Args:
        partner_of_row: contact row id to partner row id.
    """

    def kept(current: Sequence[Contact], stored: Sequence[StoredContact], leaving: Collection[int]) -> set[int]:
        left = [row for row in stored if row.id in leaving]
        return rows_with_successor(left, partner_of_row, map(employers.successor, current))

    return kept
