"""Further affiliations (`contact_affiliations`): a person whom two contacts of the CRM give to two partners."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection, select

from lms_assets.domain.records.contacts import AddressHolder
from lms_assets.warehouse.results.stamps import stamp_changes
from lms_assets.warehouse.schema.tables import contact_affiliations, contacts
from lms_assets.warehouse.upsert.compare import chunks
from lms_assets.warehouse.upsert.upsert import SyncCounts, delete_rows, upsert


def further_contact_ids(connection: Connection) -> frozenset[int]:
    """CRM ids of the contacts that are further affiliations."""
    return frozenset(connection.execute(select(contact_affiliations.c.impartner_id)).scalars())


def address_holders(connection: Connection, emails: Iterable[str]) -> dict[str, AddressHolder]:
    """Of these e-mails those that a stored contact has, with that contact, inactive ones too."""
    c = contacts.c
    query = select(c.email, c.id, c.impartner_id, c.partner_id)
    parts = (connection.execute(query.where(c.email.in_(part))) for part in chunks(emails))
    return {row[0]: AddressHolder(row[1], row[2], row[3]) for part in parts for row in part}


def write_affiliations(
    connection: Connection, found: Mapping[int, tuple[int, int]], *, over: Iterable[int], now: datetime
) -> SyncCounts:
    """Write the affiliations found, and remove those that are over.

    Args:
        found: CRM id to (contact row id, partner row id).
        over: CRM ids of contacts that were read, or are surely gone: without being among `found` they are removed.
    """
    rows = [
        {"impartner_id": crm_id, "contact_id": contact_id, "partner_id": partner_id, "since": now}
        for crm_id, (contact_id, partner_id) in sorted(found.items())
    ]
    watched = ("contact_id", "partner_id")
    stamp_changes(connection, contact_affiliations, rows, watched=watched, column="since", now=now, key="impartner_id")
    written = upsert(connection, contact_affiliations, rows, key=("impartner_id",), now=now, insert_only=("since",))
    return written + remove_affiliations(connection, set(over) - set(found))


def remove_affiliations(connection: Connection, crm_ids: Iterable[int]) -> SyncCounts:
    """Remove affiliations that are over; ids that are none are passed over."""
    stored = further_contact_ids(connection) & set(crm_ids)
    return SyncCounts(deleted=delete_rows(connection, contact_affiliations, sorted(stored)))
