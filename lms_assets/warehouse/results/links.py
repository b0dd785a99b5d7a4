"""Links between the CRM's and the LMS's rows: contact to person, group to partner, and those set by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection, select

from lms_assets.domain.records.contacts import AddressHolder
from lms_assets.warehouse.engine import streamed
from lms_assets.warehouse.schema.tables import contact_affiliations, contacts, group_partner_overrides, lms_users
from lms_assets.warehouse.sync_state import get_state, put_state
from lms_assets.warehouse.upsert.compare import chunks
from lms_assets.warehouse.upsert.upsert import SyncCounts, delete_rows, update_existing, upsert

_LOST = "group_links_lost"


def write_contact_links(connection: Connection, links: Mapping[int, str | None], *, now: datetime) -> None:
    """Store which LMS person each contact is, on both sides.

    Args:
        links: every contact's id to its person or None. People linked to one of these contacts before and to none now
            lose their link; of several contacts of one person the lowest id is kept on the person's side.
    """
    linked = select(contacts.c.id, contacts.c.lms_user_id).where(contacts.c.lms_user_id.is_not(None))
    before = {row[0]: row[1] for row in streamed(connection, linked)}
    rows = (
        {"id": contact_id, "lms_user_id": user_id, "linked_at": now}
        for contact_id, user_id in links.items()
        if before.get(contact_id) != user_id
    )
    update_existing(connection, contacts, rows, key=("id",), now=now)
    contact_of: dict[str, int] = {}
    for contact_id, user_id in links.items():
        if user_id is not None:
            contact_of[user_id] = min(contact_id, contact_of.get(user_id, contact_id))
    named = select(lms_users.c.id, lms_users.c.contact_id).where(lms_users.c.contact_id.is_not(None))
    named_before = {row[0]: row[1] for row in streamed(connection, named)}
    people = [
        {"id": user_id, "contact_id": contact_id}
        for user_id, contact_id in contact_of.items()
        if named_before.get(user_id) != contact_id
    ]
    lost = (each for each, contact_id in named_before.items() if contact_id in links and each not in contact_of)
    people += [{"id": user_id, "contact_id": None} for user_id in lost]
    update_existing(connection, lms_users, people, key=("id",), now=now)


def group_overrides(connection: Connection) -> dict[str, int | None]:
    """Links set by hand: group id to partner id, or to None for 'is no partner's'."""
    c = group_partner_overrides.c
    return {row.group_id: row.partner_id for row in connection.execute(select(c.group_id, c.partner_id))}


def stored_lost_links(connection: Connection) -> dict[str, int]:
    """Groups that were an active partner's and are nobody's since, each with that partner's id."""
    return dict(get_state(connection, _LOST) or {})


def remember_lost_links(connection: Connection, lost: Mapping[str, int], *, now: datetime) -> None:
    """Keep them for the check and the next sync."""
    put_state(connection, _LOST, dict(lost), now=now)


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
    changed_at = ("since", ("contact_id", "partner_id"))
    written = upsert(connection, contact_affiliations, rows, key=("impartner_id",), now=now, changed_at=changed_at)
    return written + remove_affiliations(connection, set(over) - set(found))


def remove_affiliations(connection: Connection, crm_ids: Iterable[int]) -> SyncCounts:
    """Remove affiliations that are over; ids that are none are passed over."""
    stored = further_contact_ids(connection) & set(crm_ids)
    return SyncCounts(deleted=delete_rows(connection, contact_affiliations, sorted(stored)))
