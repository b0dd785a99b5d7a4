"""Tier 2: LMS people and groups, memberships, and what ties both to partners."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sqlalchemy import Connection, select

from lms_assets.domain.counting.certifications import (
    Affiliation,
    ContactFacts,
    GroupFacts,
    PersonFacts,
    partner_users,
)
from lms_assets.domain.records.groups import StoredGroup
from lms_assets.domain.records.users import StoredUser
from lms_assets.warehouse.engine import streamed
from lms_assets.warehouse.reading.foundation import partner_activity
from lms_assets.warehouse.schema.tables import contact_affiliations, contacts, lms_group_members, lms_groups, lms_users
from lms_assets.warehouse.upsert.compare import chunks


def stored_users(connection: Connection) -> Iterator[StoredUser]:
    """Every LMS person, gone ones too; streamed, so ask nothing else meanwhile."""
    c = lms_users.c
    query = select(c.id, c.email, c.is_active, c.status, c.last_active_at, c.updated_at_lms, c.contact_id)
    for row in streamed(connection, query):
        yield StoredUser(*row)


def person_facts(connection: Connection, user_ids: Collection[str] | None = None) -> dict[str, PersonFacts]:
    """What counting needs of these LMS people, of everybody when None, by id."""
    c = lms_users.c
    query = select(c.id, c.is_active, c.status)
    queries = [query] if user_ids is None else [query.where(c.id.in_(part)) for part in chunks(user_ids)]
    return {row[0]: PersonFacts(row[1], row[2]) for each in queries for row in connection.execute(each)}


def stored_groups(connection: Connection, *, active_only: bool = False) -> tuple[StoredGroup, ...]:
    """Every group, by id."""
    c = lms_groups.c
    columns = (
        c.id,
        c.name,
        c.user_count,
        c.is_active,
        c.partner_id,
        c.link_method,
        c.link_score,
        c.members_synced_at,
    )
    query = select(*columns).order_by(c.id)
    if active_only:
        query = query.where(c.is_active.is_(True))
    return tuple(
        StoredGroup(*row[:6], None if row[6] is None else float(row[6]), row[7]) for row in connection.execute(query)
    )


def group_facts(connection: Connection) -> tuple[GroupFacts, ...]:
    """What counting needs of every group that is linked to a partner."""
    c = lms_groups.c
    query = select(c.id, c.partner_id, c.is_active).where(c.partner_id.is_not(None)).order_by(c.id)
    return tuple(GroupFacts(*row) for row in connection.execute(query))


def contact_facts(connection: Connection) -> tuple[ContactFacts, ...]:
    """What counting needs of every contact that is an LMS person and belongs to a partner, further ones included.

    A further contact is there as long as the CRM has it, whatever became of the contact that holds the address.
    """
    c, f = contacts.c, contact_affiliations.c
    query = select(c.id, c.partner_id, c.lms_user_id, c.is_active).where(
        c.partner_id.is_not(None), c.lms_user_id.is_not(None)
    )
    further = select(c.id, f.partner_id, c.lms_user_id, f.impartner_id).join_from(
        contacts, contact_affiliations, c.id == f.contact_id
    )
    return (
        *(ContactFacts(*row) for row in connection.execute(query.order_by(c.id))),
        *(
            ContactFacts(row[0], row[1], row[2], further=row[3])
            for row in connection.execute(further.where(c.lms_user_id.is_not(None)).order_by(f.impartner_id))
        ),
    )


def stored_affiliations(connection: Connection) -> tuple[Affiliation, ...]:
    """Whose people are whose now, of all partners."""
    in_groups, in_contacts = list(stored_members(connection, of_partners=True)), contact_facts(connection)
    people = {user_id for _, user_id in in_groups} | {each.lms_user_id for each in in_contacts if each.lms_user_id}
    return partner_users(
        partner_activity(connection),
        person_facts(connection, people),
        group_facts(connection),
        in_groups,
        in_contacts,
    )


def contact_emails(connection: Connection) -> Iterator[tuple[int, str]]:
    """Contact id and e-mail of every contact, for linking to LMS people; streamed, so ask nothing else meanwhile.

    Inactive ones too: whoever left the CRM has to leave the LMS's groups, so it must be known who that is.
    """
    c = contacts.c
    for row in streamed(connection, select(c.id, c.email).order_by(c.id)):
        yield row[0], row[1]


def stored_members(connection: Connection, *, of_partners: bool = False) -> Iterator[tuple[str, str]]:
    """(group id, LMS user id) of every membership, or of those in groups that are linked to a partner."""
    c = lms_group_members.c
    query = select(c.group_id, c.user_id)
    if of_partners:
        query = query.join(lms_groups, lms_groups.c.id == c.group_id).where(lms_groups.c.partner_id.is_not(None))
    for row in connection.execute(query):
        yield row[0], row[1]


def members_of(connection: Connection, group_ids: Collection[str]) -> dict[str, set[str]]:
    """Group id to its confirmed members' ids (without those the portal added and the LMS has not confirmed)."""
    c = lms_group_members.c
    found: dict[str, set[str]] = {group_id: set() for group_id in group_ids}
    for part in chunks(group_ids):
        query = select(c.group_id, c.user_id).where(c.group_id.in_(part), c.pending_source.is_distinct_from("local"))
        for group_id, user_id in connection.execute(query):
            if group_id in found:
                found[group_id].add(user_id)
    return found
