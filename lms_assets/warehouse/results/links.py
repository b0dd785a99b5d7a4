"""Links between the CRM's and the LMS's rows: contact to person, group to partner, and those set by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from lms_assets.warehouse.engine import streamed
from lms_assets.warehouse.schema.tables import contacts, group_partner_overrides, lms_users
from lms_assets.warehouse.sync_state import get_state, put_state
from lms_assets.warehouse.upsert.upsert import update_existing

_LOST = "group_links_lost"


@dataclass(frozen=True, slots=True)
class ContactLinkCounts:
    """Rows whose link changed: contacts, and people."""

    contacts: int
    people: int


def write_contact_links(connection: Connection, links: Mapping[int, str | None], *, now: datetime) -> ContactLinkCounts:
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
    changed = update_existing(connection, contacts, rows, key=("id",), now=now)
    contact_of: dict[str, int] = {}
    for contact_id, user_id in links.items():
        if user_id is not None:
            contact_of[user_id] = min(contact_id, contact_of.get(user_id, contact_id))
    query = select(lms_users.c.id, lms_users.c.contact_id).where(lms_users.c.contact_id.is_not(None))
    for user_id, contact_id in connection.execute(query):
        if contact_id in links and user_id not in contact_of:
            contact_of[user_id] = 0
    people = ({"id": user_id, "contact_id": contact_id or None} for user_id, contact_id in contact_of.items())
    return ContactLinkCounts(
        changed.updated, update_existing(connection, lms_users, people, key=("id",), now=now).updated
    )


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
