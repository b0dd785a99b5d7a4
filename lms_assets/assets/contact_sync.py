"""One sync of the contacts: CRM users read and judged, one for each e-mail, each linked to its partner, and written."""

from __future__ import annotations

from collections.abc import Sequence

from lms_assets.assets.absences import stop_if_too_many
from lms_assets.assets.confirmation import read_again
from lms_assets.assets.crm_fields import CONTACT_FIELDS
from lms_assets.assets.crm_records import CrmSource, take_in_all
from lms_assets.assets.employers import Employers
from lms_assets.assets.intake import Intake, refuse_too_many_bad
from lms_assets.assets.partner_sync import leaving, rows_by_crm_id
from lms_assets.assets.step import Step
from lms_assets.assets.user_sync import link_contacts_to_users
from lms_assets.domain.contact_rows import (
    StoredContact,
    assign_contact_rows,
    contacts_that_wait,
    surrendered_email,
)
from lms_assets.domain.contacts import (
    DUPLICATE_EMAIL,
    Contact,
    choose_per_email,
    contact_from_user,
    further_affiliations,
)
from lms_assets.domain.findings import Rejected
from lms_assets.vendors.impartner import ImpartnerClient
from lms_assets.warehouse import reading
from lms_assets.warehouse.affiliations import address_holders, further_contact_ids, write_affiliations
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.stamps import stamp_changes
from lms_assets.warehouse.sync import SyncCounts, deactivate, update_existing, upsert
from lms_assets.warehouse.tables import contacts


class ContactSync:
    """`read` first; then `intake` and `rows` say what came, and `write` does all the writing.

    Raises (from `read`):
        VendorError: CRM users could not be read.
        SyncStopped: too much would leave, or too much is unreadable.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self.intake: Intake[Contact]

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
        self.intake = take_in_all(step, source, "contacts", first_load=not stored)
        by_id = source.by_id(source.ids(self.intake))
        again = read_again(self.intake, by_id, employers.lost_links(self.intake.accepted))
        self.intake.accepted = [again.get(each.impartner_id, each) for each in self.intake.accepted]
        kept, doubles = choose_per_email(self.intake.accepted, employers.active_partner_of)
        self.intake.rejected.extend(doubles)
        refuse_too_many_bad(step, self.intake, step.rules)
        second = {each.entity_id for each in doubles}
        gone = leaving(self.intake, source, active) | {crm_id for crm_id in active if str(crm_id) in second}
        ready = self._without_waiting(kept, stored, source)
        assignment = assign_contact_rows([(each.impartner_id, each.email) for each in ready], stored)
        self._displaced = assignment.displaced
        self._leaving = {row_id for crm_id in gone for row_id in active[crm_id]} - set(assignment.rows)
        self._leaving |= {row.id for row in stored if row.is_active and row.id in assignment.displaced}
        self._read_or_gone = gone | {each.impartner_id for each in self.intake.accepted}
        stop_if_too_many(step, "contacts", sum(row.is_active for row in stored), self._leaving)
        self.rows = [employers.contact_row(row_id, each) for row_id, each in zip(assignment.rows, ready, strict=True)]

    def _without_waiting(
        self, kept: Sequence[Contact], stored: Sequence[StoredContact], source: CrmSource[Contact]
    ) -> list[Contact]:
        """Contacts who need not wait for the address of somebody of whom nothing was learnt; the others are noted."""
        undecided = {int(text) for text in self.intake.bad_ids if text.isdigit()}
        if not self.intake.complete:
            undecided |= {row.impartner_id for row in stored if row.impartner_id is not None} - source.ids(self.intake)
        waiting = contacts_that_wait([(each.impartner_id, each.email) for each in kept], stored, undecided)
        self.intake.rejected.extend(
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
        stamp_changes(connection, contacts, rows, watched=watched, column="identity_changed_at", now=now)
        left = deactivate(connection, contacts, self._leaving, now=now)
        released = [{"id": row_id, "email": surrendered_email(row_id)} for row_id in self._displaced]
        update_existing(connection, contacts, released, key=("id",), now=now)
        written = upsert(connection, contacts, rows, key=("id",), now=now, insert_only=("identity_changed_at",))
        found = further_affiliations(
            self.intake.accepted, address_holders(connection), self._employers.active_partner_of
        )
        written += write_affiliations(connection, found, over=self._read_or_gone, now=now)
        # At once: an address that moved must not go on counting for somebody if the chain ends before users are read.
        link_contacts_to_users(connection, now)
        return written + SyncCounts(deactivated=left)
