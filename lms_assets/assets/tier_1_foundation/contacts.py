"""One sync of the contacts: CRM users read and judged, one for each e-mail, each linked to its partner, and written."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from lms_assets.assets.asset import asset_of
from lms_assets.assets.confirmation import read_again
from lms_assets.assets.crm_fields import CONTACT_FIELDS
from lms_assets.assets.crm_records import CrmSource, take_in_all
from lms_assets.assets.deactivation_limit import stop_if_too_many
from lms_assets.assets.listing_sync import ListingResult, describe, refuse_too_many_bad
from lms_assets.assets.sync_run import Step, sync_step
from lms_assets.assets.tier_1_foundation.partners import leaving, rows_by_crm_id
from lms_assets.assets.tier_2_users_and_groups.users import link_contacts_to_users
from lms_assets.domain.records.contacts import (
    DUPLICATE_EMAIL,
    Contact,
    StoredContact,
    Successor,
    assign_contact_rows,
    choose_per_email,
    contact_from_user,
    contacts_that_wait,
    further_affiliations,
    is_primary,
    partner_of_contact,
    surrendered_email,
)
from lms_assets.domain.records.partners import rows_by_name
from lms_assets.domain.records.rejections import Rejected
from lms_assets.resources import Connections
from lms_assets.vendors.impartner.client import ImpartnerClient
from lms_assets.warehouse import reading
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.results.affiliations import address_holders, further_contact_ids, write_affiliations
from lms_assets.warehouse.results.stamps import stamp_changes
from lms_assets.warehouse.schema.tables import contacts as contacts_table
from lms_assets.warehouse.upsert.upsert import SyncCounts, deactivate, update_existing, upsert


@dataclass(frozen=True)
class Employers:
    """Partners by CRM id and by name, and whom stored contacts who learn belong to."""

    active_by_id: Mapping[int, int]
    any_by_id: Mapping[int, int]
    active_by_name: Mapping[str, int]
    primary_users: Mapping[int, int | None]
    linked_before: frozenset[int]
    """CRM ids of active contacts who belong to an active partner."""

    @classmethod
    def of(cls, connection: Connection) -> "Employers":
        """As the warehouse has it."""
        stored = reading.stored_partners(connection)
        active = [row for row in stored if row.is_active]
        inactive = {row.impartner_id: row.id for row in stored if not row.is_active and row.impartner_id is not None}
        by_id = {row.impartner_id: row.id for row in active if row.impartner_id is not None}
        partner_of = reading.partner_of_contacts(connection)
        rows = set(by_id.values())
        return cls(
            by_id,
            inactive | by_id,
            rows_by_name(active),
            reading.primary_users(connection),
            frozenset(
                each.impartner_id
                for each in reading.stored_contacts(connection)
                if each.is_active and each.impartner_id is not None and partner_of.get(each.id) in rows
            )
            | further_contact_ids(connection),
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

    def contact_row(self, row_id: int | None, contact: Contact) -> dict[str, Any]:
        """The row of `contacts`. Somebody of an inactive partner stays linked to its row: that is who has to leave."""
        partner_id = self.active_partner_of(contact)
        if partner_id is None and contact.account_id is not None:
            partner_id = self.any_by_id.get(contact.account_id)
        return {
            "id": row_id,
            "partner_id": partner_id,
            "email": contact.email,
            "first_name": contact.first_name,
            "last_name": contact.last_name,
            "title": contact.title,
            "phone": contact.phone,
            "is_primary": is_primary(contact, self.primary_users),
            "impartner_id": contact.impartner_id,
            "is_active": True,
            "deleted_at": None,
            "crm_last_modified": contact.crm_last_modified,
        }


class ContactSync:
    """`read` first; then `listing_result` and `rows` say what came, and `write` does all the writing.

    Raises (from `read`):
        VendorError: CRM users could not be read.
        SyncStopped: too much would leave, or too much is unreadable.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self.listing_result: ListingResult[Contact]

    def read(self, client: ImpartnerClient) -> None:
        """Read every CRM user and work out what is to be written."""
        step = self._step
        with step.warehouse.read() as connection:
            stored = reading.stored_contacts(connection)
            self._employers = employers = Employers.of(connection)
            further = further_contact_ids(connection)
        active = {crm_id: set[int]() for crm_id in further} | rows_by_crm_id(stored)
        source = CrmSource(
            client,
            "User",
            CONTACT_FIELDS,
            lambda record: contact_from_user(record, step.rules),
            lambda contact: contact.impartner_id,
        )
        self.listing_result = take_in_all(step, source, "contacts", first_load=not stored)
        by_id = source.by_id(source.ids(self.listing_result))
        again = read_again(self.listing_result, by_id, employers.lost_links(self.listing_result.accepted))
        self.listing_result.accepted = [again.get(each.impartner_id, each) for each in self.listing_result.accepted]
        kept, doubles = choose_per_email(self.listing_result.accepted, employers.active_partner_of)
        self.listing_result.rejected.extend(doubles)
        refuse_too_many_bad(step, self.listing_result, step.rules)
        second = {each.entity_id for each in doubles}
        gone = leaving(self.listing_result, source, active) | {crm_id for crm_id in active if str(crm_id) in second}
        ready = self._without_waiting(kept, stored, source)
        assignment = assign_contact_rows([(each.impartner_id, each.email) for each in ready], stored)
        self._displaced = assignment.displaced
        self._leaving = {row_id for crm_id in gone for row_id in active[crm_id]} - set(assignment.rows)
        self._leaving |= {row.id for row in stored if row.is_active and row.id in assignment.displaced}
        self._read_or_gone = gone | {each.impartner_id for each in self.listing_result.accepted}
        stop_if_too_many(step, "contacts", sum(row.is_active for row in stored), self._leaving)
        self.rows = [employers.contact_row(row_id, each) for row_id, each in zip(assignment.rows, ready, strict=True)]

    def _without_waiting(
        self, kept: Sequence[Contact], stored: Sequence[StoredContact], source: CrmSource[Contact]
    ) -> list[Contact]:
        """Contacts who need not wait for the address of somebody of whom nothing was learnt; the others are noted."""
        undecided = {int(text) for text in self.listing_result.bad_ids if text.isdigit()}
        if not self.listing_result.complete:
            undecided |= {row.impartner_id for row in stored if row.impartner_id is not None} - source.ids(
                self.listing_result
            )
        waiting = contacts_that_wait([(each.impartner_id, each.email) for each in kept], stored, undecided)
        self.listing_result.rejected.extend(
            Rejected(
                "duplicate",
                DUPLICATE_EMAIL,
                str(each),
                f"contact {holder} has the same e-mail and could not be read this time",
            )
            for each, holder in waiting.items()
        )
        return [each for each in kept if each.impartner_id not in waiting]

    def write(self, connection: Connection) -> SyncCounts:
        """Deactivate, free addresses that others have now, write the contacts that count, link them to accounts."""
        now = self._step.now
        rows = [row | {"identity_changed_at": now} for row in self.rows]
        watched = ("partner_id", "email", "is_active")
        stamp_changes(connection, contacts_table, rows, watched=watched, column="identity_changed_at", now=now)
        left = deactivate(connection, contacts_table, self._leaving, now=now)
        released = [{"id": row_id, "email": surrendered_email(row_id)} for row_id in self._displaced]
        update_existing(connection, contacts_table, released, key=("id",), now=now)
        written = upsert(connection, contacts_table, rows, key=("id",), now=now, insert_only=("identity_changed_at",))
        found = further_affiliations(
            self.listing_result.accepted, address_holders(connection), self._employers.active_partner_of
        )
        written += write_affiliations(connection, found, over=self._read_or_gone, now=now)
        # At once: an address that moved must not go on counting for somebody if the chain ends before users are read.
        link_contacts_to_users(connection, now)
        return written + SyncCounts(deactivated=left)


@asset_of("contacts")
def contacts(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Fetch every CRM user, keep the partners' people, link each to its partner, deactivate those who left."""
    with sync_step(context, lms, "contacts") as step:
        sync = ContactSync(step)
        with lms.impartner() as client:
            sync.read(client)
            step.used(client.http)
        step.write(sync.write, **sync.listing_result.outcome())
        describe(step, sync.listing_result)
        without_partner = sum(row["partner_id"] is None for row in sync.rows)
        duplicates = sum(each.kind == "duplicate" for each in sync.listing_result.rejected)
        return step.result(len(sync.rows), without_partner=without_partner, duplicate_emails=duplicates)
