"""What a sync of the contacts writes: one for each e-mail, each with its row and its partner, and which rows leave."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from lms_assets.domain.records.contacts import (
    DUPLICATE_EMAIL,
    Contact,
    StoredContact,
    Successor,
    assign_contact_rows,
    choose_per_email,
    contacts_that_wait,
    is_primary,
    partner_of_contact,
)
from lms_assets.domain.records.partners import StoredPartner, rows_by_name
from lms_assets.domain.records.values import Rejected
from lms_assets.domain.safety.confirmation import Answers, Doubt, ListingResult
from lms_assets.domain.sync_plans.crm import confirm_leaving, doubtful_records, rows_by_crm_id


@dataclass(frozen=True, slots=True)
class ContactRow:
    """A row of `contacts`; `id` is None for a new one."""

    id: int | None
    partner_id: int | None
    email: str
    first_name: str | None
    last_name: str | None
    title: str | None
    phone: str | None
    is_primary: bool
    impartner_id: int
    is_active: bool
    deleted_at: None
    crm_last_modified: datetime | None


@dataclass(frozen=True)
class Employers:
    """Partners by CRM id and by name, and whom stored contacts who learn belong to."""

    active_by_id: Mapping[int, int]
    any_by_id: Mapping[int, int]
    active_by_name: Mapping[str, int]
    primary_users: Mapping[int, int | None]
    linked_before: frozenset[int] = frozenset()
    """CRM ids of active contacts who belong to an active partner."""

    @classmethod
    def of(
        cls,
        partners: Iterable[StoredPartner],
        primary_users: Mapping[int, int | None],
        contacts: Iterable[StoredContact] = (),
        partner_of: Mapping[int, int | None] | None = None,
        further: frozenset[int] = frozenset(),
    ) -> Employers:
        """As they are stored.

        Args:
            primary_users: CRM id of each account to that of its primary user.
            contacts: stored contacts. `partner_of`: their row ids to partner row ids.
            further: CRM ids of contacts that are further affiliations.
        """
        partners, partner_of = list(partners), partner_of or {}
        by_id = {row.impartner_id: row.id for row in partners if row.is_active and row.impartner_id is not None}
        inactive = {row.impartner_id: row.id for row in partners if not row.is_active and row.impartner_id is not None}
        rows = set(by_id.values())
        linked = {each.impartner_id for each in contacts if each.is_active and partner_of.get(each.id) in rows}
        return cls(
            by_id,
            inactive | by_id,
            rows_by_name(row for row in partners if row.is_active),
            primary_users,
            frozenset(each for each in linked if each is not None) | further,
        )

    def active_partner_of(self, contact: Contact) -> int | None:
        """The partner for whom the contact counts."""
        return partner_of_contact(contact, self.active_by_id, self.active_by_name)

    def successor(self, contact: Contact) -> Successor:
        """The contact as somebody who may take over a row; an account that is not stored may be a partner recreated."""
        partner_id = self.active_partner_of(contact)
        if contact.account_id is not None:
            known = contact.account_id in self.any_by_id
        else:
            known = partner_id is not None or not contact.account_name
        return Successor(contact.email, partner_id, known)

    def lost_links(self, contacts: Iterable[Contact]) -> set[int]:
        """CRM ids of contacts whose partner is still there and who seem to belong to none any more."""
        return {
            each.impartner_id
            for each in contacts
            if each.impartner_id in self.linked_before and each.account_id is None and not self.active_partner_of(each)
        }

    def contact_row(self, row_id: int | None, contact: Contact) -> ContactRow:
        """The row of `contacts`. Somebody of an inactive partner stays linked to its row: that is who has to leave.

        Args:
            row_id: the row that is the contact's; None: a new one.
        """
        partner_id = self.active_partner_of(contact)
        if partner_id is None and contact.account_id is not None:
            partner_id = self.any_by_id.get(contact.account_id)
        return ContactRow(
            id=row_id,
            partner_id=partner_id,
            email=contact.email,
            first_name=contact.first_name,
            last_name=contact.last_name,
            title=contact.title,
            phone=contact.phone,
            is_primary=is_primary(contact, self.primary_users),
            impartner_id=contact.impartner_id,
            is_active=True,
            deleted_at=None,
            crm_last_modified=contact.crm_last_modified,
        )


@dataclass(frozen=True)
class ContactPlan:
    """What is to be written of the contacts.

    Attributes:
        listing: what was read, with duplicates among the rejected; incomplete where answers by id contradict it.
        leaving: ids of rows to deactivate. `displaced`: ids of rows whose address somebody else has now.
        resolved: CRM ids of contacts that were read or are surely gone, for further affiliations that are over.
    """

    listing: ListingResult[Contact]
    rows: tuple[ContactRow, ...]
    leaving: frozenset[int]
    displaced: tuple[int, ...]
    resolved: frozenset[int]


def doubtful_contacts(
    listing: ListingResult[Contact], listed: Collection[int], active: Collection[int], employers: Employers
) -> dict[Doubt, list[int]]:
    """Which contacts to ask for by id: missing ones, those left out now, and those without their partner now.

    Args:
        listed: CRM ids of every record that came.
        active: CRM ids of active rows and of further affiliations.
    """
    lost = sorted(employers.lost_links(listing.accepted))
    return {Doubt.WITHOUT_PARTNER: lost, **doubtful_records(listing, listed, active)}


def plan_contacts(
    listing: ListingResult[Contact],
    listed: Collection[int],
    stored: Sequence[StoredContact],
    employers: Employers,
    answers: Mapping[Doubt, Answers[int, Contact]],
) -> ContactPlan:
    """Decide what the listing changes, given what contacts in doubt answered by id (`doubtful_contacts`).

    Args:
        listed: CRM ids of every record that came.
    """
    listing = _with_second_answers(listing, answers.get(Doubt.WITHOUT_PARTNER))
    kept, doubles = choose_per_email(listing.accepted, employers.active_partner_of)
    listing, gone = confirm_leaving(replace(listing, rejected=(*listing.rejected, *doubles)), answers)
    doubled = {int(each.entity_id) for each in doubles}
    active = rows_by_crm_id(row for row in stored if row.impartner_id in gone or row.impartner_id in doubled)
    gone |= active.keys() & doubled
    waiting = _waiting(listing, listed, kept, stored)
    ready = [each for each in kept if each.impartner_id not in waiting]
    assignment = assign_contact_rows([(each.impartner_id, each.email) for each in ready], stored)
    leaving = {row_id for crm_id in gone for row_id in active.get(crm_id, ())} - set(assignment.rows)
    leaving |= {row.id for row in stored if row.is_active and row.id in assignment.displaced}
    return ContactPlan(
        replace(listing, rejected=(*listing.rejected, *waiting.values())),
        tuple(employers.contact_row(row_id, each) for row_id, each in zip(assignment.rows, ready, strict=True)),
        frozenset(leaving),
        assignment.displaced,
        gone | {each.impartner_id for each in listing.accepted},
    )


def _with_second_answers(
    listing: ListingResult[Contact], answers: Answers[int, Contact] | None
) -> ListingResult[Contact]:
    """The listing with what contacts that seem to have lost their partner say when asked for by id."""
    if answers is None:
        return listing
    if answers.problem is not None:
        listing = listing.incomplete(answers.problem)
    again = {crm_id: each for crm_id, each in answers.found.items() if not isinstance(each, Rejected)}
    return replace(listing, accepted=tuple(again.get(each.impartner_id, each) for each in listing.accepted))


def _waiting(
    listing: ListingResult[Contact],
    listed: Collection[int],
    kept: Sequence[Contact],
    stored: Sequence[StoredContact],
) -> dict[int, Rejected]:
    """Contacts that wait for the address of somebody of whom nothing was learnt, by CRM id, each with its reason."""
    undecided = {int(text) for text in listing.bad_ids if text.isdigit()}
    if not listing.complete:
        undecided |= {row.impartner_id for row in stored if row.impartner_id is not None} - set(listed)
    waiting = contacts_that_wait(((each.impartner_id, each.email) for each in kept), stored, undecided)
    return {
        each: Rejected(
            "duplicate",
            DUPLICATE_EMAIL,
            str(each),
            f"contact {holder} has the same e-mail and could not be read this time",
        )
        for each, holder in waiting.items()
    }
