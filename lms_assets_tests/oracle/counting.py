"""Each partner's people and counts at an instant, and why each of their certifications counts or does not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from lms_assets_tests.oracle.holding import CATEGORIES, category_of, course_names, points_of_courses, why_not_held
from lms_assets_tests.oracle.links import Link, links
from lms_assets_tests.oracle.records import (
    Row,
    contact_is_kept,
    one_contact_per_email,
    partner_is_kept,
    partner_of_contact,
    person_is_active,
    person_of_contact,
    trimmed,
)

Overrides = Mapping[str, int | None]
"""Group id -> account id; None: the group is no partner's."""


class HasState(Protocol):
    """The sandbox's Vendor state, of which only the raw data is used."""

    def state(self) -> dict[str, Any]:
        """All collections as lists of flat rows."""


State = Mapping[str, Any] | HasState


@dataclass(frozen=True)
class ExpectedPartner:
    """What is right for one partner at the instant; `user_ids` are all its distinct people, holders or not."""

    name: str
    by_category: Mapping[str, int]
    total_npcu: int
    has_gtm_certification: bool
    user_ids: frozenset[str]
    group_ids: frozenset[str]
    contact_ids: frozenset[int]

    @property
    def counts(self) -> dict[str, int | bool]:
        """The counts under the names of the portal's columns."""
        columns: dict[str, int | bool] = {f"cert_count_{name}": self.by_category[name] for name in CATEGORIES}
        return columns | {"total_npcu": self.total_npcu, "has_gtm_certification": self.has_gtm_certification}


@dataclass(frozen=True)
class Expected:
    """All partners that count, by Impartner id, and the links they rest on."""

    partners: Mapping[int, ExpectedPartner]
    links: tuple[Link, ...]
    contact_of: Mapping[int, str | None]
    """Kept contact's Impartner id -> its LMS person's id."""

    def shared_people(self) -> dict[str, list[int]]:
        """People who belong to several partners (they count for each), with these partners' ids."""
        partners_of: dict[str, list[int]] = {}
        for partner_id, partner in self.partners.items():
            for user_id in partner.user_ids:
                partners_of.setdefault(user_id, []).append(partner_id)
        return {user_id: sorted(found) for user_id, found in partners_of.items() if len(found) > 1}


@dataclass(frozen=True)
class Reason:
    """One person's one transcript row of a certification, or of something that is none, and what it counts for."""

    partner_id: int
    user_id: str
    transcript_id: str
    course_id: str
    points: int
    why_not: str | None


def raw(state: State) -> Mapping[str, Any]:
    """The collections as lists of flat rows, whatever was handed in."""
    return state if isinstance(state, Mapping) else state.state()


@dataclass(frozen=True)
class _Who:
    """A partner's people, which no instant changes."""

    name: str
    user_ids: frozenset[str]
    group_ids: frozenset[str]
    contact_ids: frozenset[int]


def expected(state: State, at: datetime, overrides: Overrides | None = None) -> Expected:
    """Count everything at the instant `at` (aware)."""
    return expected_at_each(state, [at], overrides)[at]


def expected_at_each(
    state: State, instants: Iterable[datetime], overrides: Overrides | None = None
) -> dict[datetime, Expected]:
    """The same for several instants; who belongs to whom is worked out once."""
    data = raw(state)
    group_links, contact_of, belonging = _who_belongs_to_whom(data, overrides)
    transcripts = _transcripts(data)
    points, names = points_of_courses(data), course_names(data)
    answers = {}
    for at in instants:
        partners = {}
        for partner_id, who in belonging.items():
            by_category, total = _count(who.user_ids, transcripts, points, names, at=at)
            partners[partner_id] = ExpectedPartner(
                name=who.name,
                by_category=by_category,
                total_npcu=total,
                has_gtm_certification=by_category["go_to_market"] > 0,
                user_ids=who.user_ids,
                group_ids=who.group_ids,
                contact_ids=who.contact_ids,
            )
        answers[at] = Expected(partners, tuple(group_links), contact_of)
    return answers


def _who_belongs_to_whom(
    data: Mapping[str, Any], overrides: Overrides | None
) -> tuple[list[Link], dict[int, str | None], dict[int, _Who]]:
    partners = {row["id"]: row for row in data["accounts"] if partner_is_kept(row)}
    every_contact = [row for row in data["users"] if contact_is_kept(row)]
    contacts = one_contact_per_email(every_contact, partners)
    sharing = _people_by_address(data["people"])
    contact_of = {row["id"]: person_of_contact(row, sharing.get(trimmed(row["email"]), [])) for row in contacts}
    employer = {row["id"]: partner_of_contact(row, partners) for row in contacts}
    group_links = links(list(data["groups"]), partners, overrides)
    members = _members(data)
    active = {row["id"] for row in data["people"] if person_is_active(row)}
    belonging = {}
    for partner_id, account in partners.items():
        group_ids = {link.group_id for link in group_links if link.partner_id == partner_id}
        own_contacts = {contact_id for contact_id in employer if employer[contact_id] == partner_id}
        user_ids = set()
        for group_id in group_ids:
            user_ids |= members.get(group_id, set())
        for contact_id in own_contacts:
            person_id = contact_of[contact_id]
            if person_id is not None:
                user_ids.add(person_id)
        # Two contacts with one address at two partners: the person counts for both.
        for row in every_contact:
            if partner_of_contact(row, partners) == partner_id:
                person_id = person_of_contact(row, sharing.get(trimmed(row["email"]), []))
                if person_id is not None:
                    user_ids.add(person_id)
        belonging[partner_id] = _Who(
            account["name"].strip(), frozenset(user_ids & active), frozenset(group_ids), frozenset(own_contacts)
        )
    return group_links, contact_of, belonging


def _people_by_address(people: Iterable[Row]) -> dict[str, list[Row]]:
    """Only to spare the slow comparison of every contact with everybody."""
    found: dict[str, list[Row]] = {}
    for person in people:
        found.setdefault(trimmed(person["email"]), []).append(person)
    return found


def _members(data: Mapping[str, Any]) -> dict[str, set[str]]:
    members: dict[str, set[str]] = {}
    for row in data["memberships"]:
        members.setdefault(row["group_id"], set()).add(row["person_id"])
    return members


def _transcripts(data: Mapping[str, Any]) -> dict[str, list[Row]]:
    rows: dict[str, list[Row]] = {}
    for row in data["transcripts"]:
        rows.setdefault(row["person_id"], []).append(row)
    return rows


def _count(
    user_ids: frozenset[str],
    transcripts: Mapping[str, list[Row]],
    points: Mapping[str, int],
    names: Mapping[str, str],
    *,
    at: datetime,
) -> tuple[dict[str, int], int]:
    by_category = dict.fromkeys(CATEGORIES, 0)
    total = 0
    for user_id in user_ids:
        held = set()
        for row in transcripts.get(user_id, []):
            if points.get(row["resource_id"], 0) > 0 and why_not_held(row, at) is None:
                held.add(row["resource_id"])
        for course_id in held:
            total += points[course_id]
            category = category_of(names[course_id])
            if category is not None:
                by_category[category] += 1
    return by_category, total


def reasons(state: State, at: datetime, partner_id: int, overrides: Overrides | None = None) -> list[Reason]:
    """Every transcript row of the partner's people with why it does not count, or None when it does.

    Of several rows that make one person hold one course, all have None: they count once together.
    """
    data = raw(state)
    points = points_of_courses(data)
    transcripts = _transcripts(data)
    found = []
    for user_id in sorted(expected(data, at, overrides).partners[partner_id].user_ids):
        for row in transcripts.get(user_id, []):
            course_id = row["resource_id"]
            why_not = why_not_held(row, at)
            if row["resource_type"] == "course" and course_id not in points:
                why_not = "unknown course"
            elif why_not is None and points[course_id] == 0:
                why_not = "no NPCU"
            found.append(Reason(partner_id, user_id, row["id"], course_id, points.get(course_id, 0), why_not))
    return found


def push_fields(partner: ExpectedPartner) -> dict[str, int]:
    """The CRM's count fields with the values that a push leaves there (Impartner API, write)."""
    return {
        "Nintex_CE_Certifications__cf": partner.by_category["nintex_ce"],
        "Nintex_K2_Certifications__cf": partner.by_category["nintex_k2"],
        "Nintex_for_Salesforce_Certifications__cf": partner.by_category["nintex_salesforce"],
        "Nintex_GTM_Certifications__cf": partner.by_category["go_to_market"],
        "Total_NPCU__cf": partner.total_npcu,
    }


def unsure_links(state: State) -> list[Link]:
    """Groups whose partner depends on how near-equality is measured: compare counts only where these agree."""
    data = raw(state)
    partners = {row["id"]: row for row in data["accounts"] if partner_is_kept(row)}
    return [link for link in links(list(data["groups"]), partners) if not link.sure]
