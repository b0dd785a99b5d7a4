"""Whose people are whose: each person's ways to a partner, by group or by contact, and what closes a way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

PARTNER_INACTIVE = "partner is inactive"
PARTNER_UNKNOWN = "partner is unknown"
PERSON_UNKNOWN = "person is not among the LMS users"
PERSON_GONE = "person is gone from the LMS"
PERSON_DISABLED = "person is disabled"


class Via(NamedTuple):
    """One way from a person to a partner: through a group (LMS id), a contact (row id as text), or a further contact
    of the CRM with the same address (its CRM id as text).
    """

    kind: Literal["group", "contact", "crm_contact"]
    id: str


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """What of an LMS account matters here; `status` is `active`, `deactivated` or `deleted`."""

    is_active: bool
    status: str = "active"


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """A stored group and the partner row it is linked to."""

    id: str
    partner_id: int | None
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class ContactFacts:
    """A stored contact, its partner row and its LMS account.

    `further`: the CRM id of another contact with the same address, through whom this partner has the person too.
    """

    id: int
    partner_id: int | None
    lms_user_id: str | None
    is_active: bool = True
    further: int | None = None


@dataclass(frozen=True, slots=True)
class Affiliation:
    """One person at one partner. `via` holds the open ways, or, when there is none, the closed ones.

    `obstacle` is None for a partner user, else why the person does not count there: one of the texts above, or which
    groups and contacts are inactive.
    """

    partner_id: int
    user_id: str
    via: tuple[Via, ...]
    obstacle: str | None


def partner_users(
    partners: Mapping[int, bool],
    people: Mapping[str, PersonFacts],
    groups: Iterable[GroupFacts],
    members: Iterable[tuple[str, str]],
    contacts: Iterable[ContactFacts],
) -> tuple[Affiliation, ...]:
    """Every (partner, person) that a group or a contact connects, once, sorted (domain rules, partner users).

    `partners`: row id to whether it is active; `members`: (group id, LMS user id). The person counts (no obstacle)
    when it is active, the partner is active, and at least one way is open: an active group, or an active contact.
    Somebody with two ways to one partner is there once with both; somebody at two partners is there for each.

    Args:
        people: LMS user id to what is known of the account.
    """
    ways: dict[tuple[int, str], dict[Via, str | None]] = {}
    group_of = {group.id: group for group in groups if group.partner_id is not None}
    for group_id, user_id in members:
        group = group_of.get(group_id)
        if group is not None and group.partner_id is not None:
            closed = None if group.is_active else f"group {group_id} is inactive"
            ways.setdefault((group.partner_id, user_id), {})[Via("group", group_id)] = closed
    for contact in contacts:
        if contact.partner_id is not None and contact.lms_user_id is not None:
            closed = None if contact.is_active else f"contact {contact.id} is inactive"
            key = (contact.partner_id, contact.lms_user_id)
            via = (
                Via("contact", str(contact.id)) if contact.further is None else Via("crm_contact", str(contact.further))
            )
            ways.setdefault(key, {})[via] = closed
    return tuple(
        _affiliation(partner_id, user_id, found, _obstacle(partners.get(partner_id), people.get(user_id)))
        for (partner_id, user_id), found in sorted(ways.items())
    )


def people_of_several_partners(affiliations: Iterable[Affiliation]) -> dict[str, tuple[int, ...]]:
    """Partner users who count for more than one partner, with these; a report (domain rules, certifications)."""
    partners_of: dict[str, list[int]] = {}
    for each in affiliations:
        if each.obstacle is None:
            partners_of.setdefault(each.user_id, []).append(each.partner_id)
    return {user_id: tuple(sorted(found)) for user_id, found in sorted(partners_of.items()) if len(found) > 1}


def _affiliation(partner_id: int, user_id: str, ways: Mapping[Via, str | None], obstacle: str | None) -> Affiliation:
    open_ways = tuple(sorted(via for via, closed in ways.items() if closed is None))
    if open_ways:
        return Affiliation(partner_id, user_id, open_ways, obstacle)
    closed_by = "; ".join(sorted(closed for closed in ways.values() if closed))
    return Affiliation(partner_id, user_id, tuple(sorted(ways)), obstacle or closed_by)


def _obstacle(partner_is_active: bool | None, person: PersonFacts | None) -> str | None:
    if not partner_is_active:
        return PARTNER_INACTIVE if partner_is_active is False else PARTNER_UNKNOWN
    if person is None:
        return PERSON_UNKNOWN
    if person.status == "deleted":
        return PERSON_GONE
    return None if person.is_active and person.status == "active" else PERSON_DISABLED
