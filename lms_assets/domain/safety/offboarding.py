"""Who should leave which LMS group, and why: a plan for people to review; and what of a reviewed one may be sent. Pure.

A reviewed removal may be sent while the facts on which it rests hold. Nothing here removes anybody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from lms_assets.domain.linking.partner_users import ContactFacts, GroupFacts, PersonFacts
from lms_assets.domain.safety.deactivation_limit import SyncStopped
from lms_assets.domain.wording import number_of


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


OPEN_ITEMS = ("planned", "sent", "failed")
"""Items that still have to be carried out: `sent` ones were interrupted before their answer came."""
OLDEST = timedelta(days=1)
A_DAY = timedelta(days=1)
BATCH = 50
"""People in one call (Northpass API, endpoints)."""
NO_MEMBER = "the group does not list the person now, or has another name"


class PlanRefused(SyncStopped):
    """The plan must not be written or carried out; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan. `status`: proposed, superseded, reviewed, applying, applied. `summary`: removals and people in it."""

    id: int
    created_at: datetime
    status: str
    reviewed_by: str | None
    reviewed_at: datetime | None
    summary: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlanItem:
    """One removal of a plan; `status`: planned, sent, failed, removed, absent, group_gone, dropped.

    `error`: why it failed, or was dropped.
    """

    id: int
    removal: Removal
    status: str
    sent_at: datetime | None
    error: str | None = None


def require_reviewed(plan: Plan | None, plan_id: int, now: datetime) -> Plan:
    """The plan `plan_id` as it was found, if it may be carried out.

    Raises:
        PlanRefused: there is none, nobody has reviewed it, or it is too old.
    """
    if plan is None:
        raise PlanRefused(f"There is no offboarding plan {plan_id}.")
    if plan.status not in ("reviewed", "applying") or not plan.reviewed_by:
        raise PlanRefused(f"Plan {plan.id} is {plan.status}; only one that somebody has reviewed is applied.")
    if now - plan.created_at > OLDEST:
        raise PlanRefused(f"Plan {plan.id} is more than a day old; make a new one and have it reviewed.")
    return plan


def refuse_changed(plan_id: int, items: Sequence[PlanItem], today: Container[Removal]) -> None:
    """Whoever is to be removed must be so by today's facts, for the same reason.

    Args:
        today: every removal as the facts give it now; what the plan has removed itself counts as still there.

    Raises:
        PlanRefused: an open removal is not among them.
    """
    changed = [item for item in items if item.status in OPEN_ITEMS and item.removal not in today]
    if changed:
        sample = ", ".join(f"{item.removal.user_id} in {item.removal.group_id}" for item in changed[:5])
        raise PlanRefused(
            f"The facts of {number_of(len(changed), 'removal')} of plan {plan_id} have changed ({sample}). "
            "Nothing was sent; make a new plan and have it reviewed."
        )


@dataclass(frozen=True, slots=True)
class DueRemovals:
    """What may be sent now, `batches` of one group each; `waiting`: all open removals, those of other days included."""

    batches: tuple[tuple[PlanItem, ...], ...]
    waiting: int


def due_removals(
    items: Sequence[PlanItem], *, everybody: Collection[str], limit: int, sent: int, now: datetime
) -> DueRemovals:
    """Open removals group by group, 50 a call, as many as the day still allows; what was interrupted goes on.

    Out of everybody's groups first: who is still in a partner's own group can still be planned tomorrow.

    Args:
        everybody: ids of the groups of everybody with partner access.
        limit: removals a day. sent: those that were sent in the last 24 hours, which interrupted ones are part of.
        now: UTC.
    """
    ordered = sorted(items, key=lambda item: (item.removal.group_id not in everybody, item.removal.group_id))
    waiting = [item for item in ordered if item.status in OPEN_ITEMS]
    resumed = [item for item in waiting if item.sent_at is not None and item.sent_at >= now - A_DAY]
    fresh = [item for item in waiting if item not in resumed][: max(0, limit - sent)]
    chosen = {item.id for item in (*resumed, *fresh)}
    batches = []
    for _, found in groupby((item for item in waiting if item.id in chosen), key=lambda item: item.removal.group_id):
        of_group = tuple(found)
        batches += [of_group[start : start + BATCH] for start in range(0, len(of_group), BATCH)]
    return DueRemovals(tuple(batches), len(waiting))


@dataclass(frozen=True, slots=True)
class Batch:
    """What is done with the removals of one call.

    Attributes:
        send: taken out of their group now.
        gone: sent before an interruption, and no members any more: that took them out.
        dropped: not sent, because what they rest on has changed at a vendor; each with the reason.
    """

    send: tuple[PlanItem, ...]
    gone: tuple[PlanItem, ...]
    dropped: Mapping[PlanItem, str]


def without_changed(planned: Sequence[PlanItem], changed: Mapping[PlanItem, str]) -> Batch:
    """The removals of one call without those that the vendors' answers of right now speak against.

    Args:
        changed: the removals that must not be sent, each with the reason.
    """
    gone = tuple(item for item in changed if item.sent_at is not None and changed[item] == NO_MEMBER)
    dropped = {item: reason for item, reason in changed.items() if item not in gone}
    return Batch(tuple(item for item in planned if item not in changed), gone, dropped)
