"""What other rules make of the same stored rows: the counts under them, and what moves between two sets of rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from lms_assets.domain.counting.certifications import CourseFacts, PartnerCounts, assess, count
from lms_assets.domain.counting.compliance import requirement_of
from lms_assets.domain.linking.partner_users import ContactFacts, GroupFacts, PersonFacts, partner_users
from lms_assets.domain.records.contacts import keeps_address
from lms_assets.domain.records.courses import Category, categorise
from lms_assets.domain.records.partners import keeps_partner
from lms_assets.domain.records.transcripts import Enrollment
from lms_assets.domain.rules import CategoryRule, Rules

SEEN_IN_STORED_ROWS = (
    "partner_tiers",
    "excluded_partner_name_words",
    "excluded_email_domains",
    "excluded_local_part_words",
    "certification_months",
    "category_rules",
    "gtm_category",
)
"""The rules whose effect stored rows show. Those that link groups or read statuses show at the next full chain."""
LEFT_OUT = "left out"


@dataclass(frozen=True, slots=True)
class PartnerRow:
    """What of a stored partner the rules look at."""

    name: str
    tier: str | None
    is_active: bool


@dataclass(frozen=True, slots=True)
class CourseRow:
    """What of a stored course the rules look at; `decided` says how its category came about."""

    name: str
    npcu: int
    decided: Category


@dataclass(frozen=True)
class StoredPortal:
    """The stored rows that counting rests on.

    `emails`: contact id to address. `category_rules`: the table's, which win over the file's; empty: the file's.
    """

    partners: Mapping[int, PartnerRow]
    people: Mapping[str, PersonFacts]
    groups: Sequence[GroupFacts]
    members: Sequence[tuple[str, str]]
    contacts: Sequence[ContactFacts]
    emails: Mapping[int, str]
    enrollments: Sequence[Enrollment]
    courses: Mapping[str, CourseRow]
    category_rules: Sequence[CategoryRule]


@dataclass(frozen=True, slots=True)
class PartnerMove:
    """A partner whose counts or standing other rules change; `npcu` None: left out."""

    partner_id: int
    name: str
    tier: str | None
    npcu_before: int | None
    npcu_after: int | None
    standing_before: str
    standing_after: str

    @property
    def change(self) -> int:
        """How far its NPCU moves."""
        return (self.npcu_after or 0) - (self.npcu_before or 0)


@dataclass(frozen=True, slots=True)
class CategoryMove:
    """A certification whose category other rules change; None: in none."""

    course_id: str
    name: str
    before: str | None
    after: str | None


def changed_rules(before: Rules, after: Rules) -> tuple[str, ...]:
    """Names of the rules that differ."""
    return tuple(each.name for each in fields(Rules) if getattr(before, each.name) != getattr(after, each.name))


def counts_under(portal: StoredPortal, rules: Rules, in_force: Rules, at: datetime) -> dict[int, PartnerCounts]:
    """The counts of every partner that the rules keep, as of `at` (UTC).

    Args:
        in_force: the rules under which the rows were stored. People whom they left out and `rules` keep are counted.
    """
    active = {key for key, row in portal.partners.items() if _is_active(row, rules, in_force)}
    contacts = [
        each if keeps_address(portal.emails[each.id], in_force) else replace(each, is_active=True)
        for each in portal.contacts
        if keeps_address(portal.emails[each.id], rules)
    ]
    affiliations = partner_users(
        {key: key in active for key in portal.partners}, portal.people, portal.groups, portal.members, contacts
    )
    categories = categories_under(portal, rules)
    courses = {
        key: CourseFacts(key, row.name, row.npcu, categories.get(key, row.decided.name))
        for key, row in portal.courses.items()
    }
    open_ways = [each for each in affiliations if each.obstacle is None]
    held = assess(open_ways, portal.enrollments, courses, at=at, months=rules.certification_months)
    return count(held, sorted(active), rules.gtm_category)


def categories_under(portal: StoredPortal, rules: Rules) -> dict[str, str | None]:
    """Course id to the category that a certification has under the rules."""
    by_name = portal.category_rules or rules.category_rules
    return {key: categorise(row.name, by_name, row.decided).name for key, row in portal.courses.items() if row.npcu > 0}


def partner_moves(
    portal: StoredPortal,
    before: Mapping[int, PartnerCounts],
    after: Mapping[int, PartnerCounts],
    requirements: tuple[Mapping[str, int], Mapping[str, int]],
) -> tuple[PartnerMove, ...]:
    """Partners whose counts or standing move: who changes standing first, the largest movement first.

    Args:
        requirements: NPCU that each tier asks for, before and after.
    """
    found = []
    for key in {**before, **after}:
        old, new = before.get(key), after.get(key)
        row = portal.partners[key]
        standings = [_standing(counts, row, asked) for counts, asked in zip((old, new), requirements, strict=True)]
        if old != new or standings[0] != standings[1]:
            npcu = [None if each is None else each.total_npcu for each in (old, new)]
            found.append(PartnerMove(key, row.name, row.tier, npcu[0], npcu[1], standings[0], standings[1]))
    return tuple(sorted(found, key=_importance))


def category_moves(portal: StoredPortal, before: Rules, after: Rules) -> tuple[CategoryMove, ...]:
    """Certifications that change category, by name."""
    old, new = categories_under(portal, before), categories_under(portal, after)
    moves = (CategoryMove(key, portal.courses[key].name, old[key], new[key]) for key in old if old[key] != new[key])
    return tuple(sorted(moves, key=lambda move: (move.name, move.course_id)))


def as_json(rules: Rules) -> dict[str, Any]:
    """The rules whose effect stored rows show, as JSON; `from_json` reads it."""
    values = {name: getattr(rules, name) for name in SEEN_IN_STORED_ROWS}
    values["category_rules"] = [[each.category, each.pattern, each.priority] for each in rules.category_rules]
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def from_json(stored: Mapping[str, Any], in_force: Rules) -> Rules:
    """The rules in force with those of `as_json` instead of theirs.

    Args:
        stored: what `as_json` gave.
    """
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in stored.items()
        if name in SEEN_IN_STORED_ROWS
    }
    if "category_rules" in values:
        values["category_rules"] = tuple(CategoryRule(*row) for row in values["category_rules"])
    return replace(in_force, **values)


def total_npcu(counts: Iterable[PartnerCounts]) -> int:
    """The NPCU of all."""
    return sum(each.total_npcu for each in counts)


def _is_active(row: PartnerRow, rules: Rules, in_force: Rules) -> bool:
    kept = keeps_partner(row.name, row.tier, rules)
    return kept and (row.is_active or not keeps_partner(row.name, row.tier, in_force))


def _standing(counts: PartnerCounts | None, row: PartnerRow, requirements: Mapping[str, int]) -> str:
    if counts is None:
        return LEFT_OUT
    asked = requirement_of(row.tier, requirements)
    return "no requirement" if asked <= 0 else "meets" if counts.total_npcu >= asked else "below"


def _importance(move: PartnerMove) -> tuple[bool, bool, int, int]:
    worse = move.standing_after in ("below", LEFT_OUT)
    return move.standing_before == move.standing_after, not worse, -abs(move.change), move.partner_id
