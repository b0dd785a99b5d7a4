"""What of each table is active, and what has to go when the source changed ("Deletions" of the domain rules)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lms_assets_tests.oracle.counting import Overrides, State, raw
from lms_assets_tests.oracle.links import links
from lms_assets_tests.oracle.records import (
    contact_is_kept,
    group_is_kept,
    one_contact_per_email,
    partner_is_kept,
    person_is_active,
)


@dataclass(frozen=True)
class Kept:
    """Ids that are active after a complete sync of this state."""

    partners: frozenset[int]
    contacts: frozenset[int]
    users: frozenset[str]
    disabled_users: frozenset[str]
    groups: frozenset[str]
    memberships: frozenset[tuple[str, str]]
    """(group, person) of groups linked to a partner, as the LMS lists them.

    Reading: people who are gone and still listed stay as members; they are nobody's users and count for nothing.
    """


@dataclass(frozen=True)
class Leaving:
    """What a complete sync takes away between two states, and what comes back or is new."""

    partners: frozenset[int]
    contacts: frozenset[int]
    users_deleted: frozenset[str]
    users_deactivated: frozenset[str]
    groups: frozenset[str]
    memberships: frozenset[tuple[str, str]]
    partners_arriving: frozenset[int]
    contacts_arriving: frozenset[int]
    users_arriving: frozenset[str]
    groups_arriving: frozenset[str]


def kept(state: State, overrides: Overrides | None = None) -> Kept:
    """What a complete sync of this state leaves active."""
    data = raw(state)
    partners = {row["id"]: row for row in data["accounts"] if partner_is_kept(row)}
    contacts = one_contact_per_email([row for row in data["users"] if contact_is_kept(row)], partners)
    linked = {link.group_id for link in links(list(data["groups"]), partners, overrides) if link.partner_id is not None}
    memberships = set()
    for row in data["memberships"]:
        if row["group_id"] in linked:
            memberships.add((row["group_id"], row["person_id"]))
    return Kept(
        partners=frozenset(partners),
        contacts=frozenset(row["id"] for row in contacts),
        users=frozenset(row["id"] for row in data["people"] if person_is_active(row)),
        disabled_users=frozenset(row["id"] for row in data["people"] if not person_is_active(row)),
        groups=frozenset(row["id"] for row in data["groups"] if group_is_kept(row)),
        memberships=frozenset(memberships),
    )


def leaving(before: State, after: State, overrides: Mapping[str, int | None] | None = None) -> Leaving:
    """What has to be deactivated (memberships: removed) after the source went from one state to the other."""
    old, new = kept(before, overrides), kept(after, overrides)
    gone = (old.users | old.disabled_users) - new.users - new.disabled_users
    return Leaving(
        partners=old.partners - new.partners,
        contacts=old.contacts - new.contacts,
        users_deleted=gone,
        users_deactivated=(old.users & new.disabled_users),
        groups=old.groups - new.groups,
        memberships=old.memberships - new.memberships,
        partners_arriving=new.partners - old.partners,
        contacts_arriving=new.contacts - old.contacts,
        users_arriving=new.users - old.users,
        groups_arriving=new.groups - old.groups,
    )
