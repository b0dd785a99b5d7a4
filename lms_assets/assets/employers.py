"""What the contacts' sync knows of partners: whom a contact belongs to, and its row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lms_assets.domain.contact_rows import Successor
from lms_assets.domain.contacts import Contact, is_primary, partner_of_contact
from lms_assets.domain.partners import rows_by_name
from lms_assets.warehouse import reading
from lms_assets.warehouse.affiliations import further_contact_ids
from lms_assets.warehouse.engine import Connection


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
    def of(cls, connection: Connection) -> Employers:
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
        """The contact as somebody who may take over a row; an account that is not stored may be a partner made anew."""
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
