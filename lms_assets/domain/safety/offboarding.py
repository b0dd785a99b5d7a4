"""Who should leave which LMS group, and why: a plan for people to review. Nothing here removes anybody."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from lms_assets.domain.linking.partner_users import ContactFacts, GroupFacts, PersonFacts


@dataclass(frozen=True, slots=True)
class Removal:
    """One person out of one group. `partner_id` is the partner on whose account; `reason` holds ids only."""

    group_id: str
    user_id: str
    partner_id: int | None
    reason: str


def plan_offboarding(
    partners: Mapping[int, bool],
    people: Mapping[str, PersonFacts],
    groups: Iterable[GroupFacts],
    members: Iterable[tuple[str, str]],
    contacts: Iterable[ContactFacts],
    *,
    everybody_group_ids: Collection[str] = (),
) -> tuple[Removal, ...]:
    """Removals of people whose partner or contact went inactive, sorted, each once.

    `partners`: row id to whether it is active; `members`: (group id, LMS user id); `everybody_group_ids`: the groups
    of everybody with partner access (`All Partners`). All facts must come from complete syncs.

    - From a partner's own groups: everybody when the partner is inactive; a person whose contacts at that partner are
      all inactive, when the partner is active.
    - From the groups of everybody: a person of an inactive partner or with an inactive contact, unless something still
      gives access: an active contact of an active partner, or a group of an active partner that the person stays in.
    - Never: people who are gone, people whom no partner or contact connects, memberships of inactive groups.
    """
    group_of = {group.id: group for group in groups if group.is_active}
    standing = _Standing.of(partners, contacts)
    own: list[Removal] = []
    staying: set[str] = set()
    everybody: list[tuple[str, str]] = []
    for group_id, user_id in sorted(set(members)):
        group = group_of.get(group_id)
        person = people.get(user_id)
        if group is None or person is None or person.status == "deleted":
            continue
        if group_id in everybody_group_ids:
            everybody.append((group_id, user_id))
        elif group.partner_id is not None and group.partner_id in partners:
            reason = standing.reason_to_leave(group.partner_id, user_id)
            if reason:
                own.append(Removal(group_id, user_id, group.partner_id, reason))
            else:
                staying.add(user_id)
    why = {removal.user_id: removal for removal in reversed(own)}
    general = []
    for group_id, user_id in everybody:
        cause = why.get(user_id) or standing.cause(group_id, user_id)
        if cause and user_id not in staying and user_id not in standing.with_access:
            general.append(Removal(group_id, user_id, cause.partner_id, cause.reason))
    return tuple(sorted(own + general, key=lambda each: (each.user_id, each.group_id)))


def plan_id(removals: Iterable[Removal]) -> str:
    """A name for exactly this plan: the same removals for the same reasons have the same, any change another."""
    digest = hashlib.sha256()
    for each in sorted(removals, key=lambda removal: (removal.user_id, removal.group_id)):
        digest.update(repr((each.group_id, each.user_id, each.partner_id, each.reason)).encode())
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class _Standing:
    """What partners and contacts say of each person."""

    partners: Mapping[int, bool]
    contacts_of: Mapping[str, tuple[ContactFacts, ...]]
    with_access: frozenset[str]

    @classmethod
    def of(cls, partners: Mapping[int, bool], contacts: Iterable[ContactFacts]) -> _Standing:
        found: dict[str, list[ContactFacts]] = {}
        for contact in sorted(contacts, key=lambda each: each.id):
            if contact.lms_user_id is not None:
                found.setdefault(contact.lms_user_id, []).append(contact)
        with_access = {
            user_id
            for user_id, own in found.items()
            if any(each.is_active and each.partner_id is not None and partners.get(each.partner_id) for each in own)
        }
        return cls(partners, {user_id: tuple(own) for user_id, own in found.items()}, frozenset(with_access))

    def reason_to_leave(self, partner_id: int, user_id: str) -> str | None:
        """Why the person should leave this partner's own groups; None: it stays."""
        if not self.partners[partner_id]:
            return f"partner {partner_id} is inactive"
        here = [each for each in self.contacts_of.get(user_id, ()) if each.partner_id == partner_id]
        if here and not any(each.is_active for each in here):
            return f"contact {here[0].id} is inactive"
        return None

    def cause(self, group_id: str, user_id: str) -> Removal | None:
        """Why somebody in none of the partners' groups should leave a group of everybody."""
        for contact in self.contacts_of.get(user_id, ()):
            partner_id = contact.partner_id
            if partner_id is not None and self.partners.get(partner_id) is False:
                return Removal(group_id, user_id, partner_id, f"partner {partner_id} is inactive")
            if not contact.is_active:
                return Removal(group_id, user_id, partner_id, f"contact {contact.id} is inactive")
        return None
