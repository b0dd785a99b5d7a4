"""The product's rules from raw records to counts, in one process without HTTP, database or Dagster.

The same functions that the assets call, in the assets' order; a row's id is here its vendor id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lms_assets.domain.counting.certifications import CourseFacts, PartnerCounts, assess, count
from lms_assets.domain.linking.contact_links import link_contacts
from lms_assets.domain.linking.group_links import GroupLink, LinkablePartner, link_groups
from lms_assets.domain.linking.partner_users import Affiliation, ContactFacts, GroupFacts, PersonFacts, partner_users
from lms_assets.domain.records.contacts import (
    AddressHolder,
    Contact,
    choose_per_email,
    contact_from_user,
    further_affiliations,
    partner_of_contact,
)
from lms_assets.domain.records.courses import (
    course_from_record,
    course_properties_from_record,
    matching_category,
    merge_course,
)
from lms_assets.domain.records.groups import group_from_record, member_of
from lms_assets.domain.records.partners import Partner, StoredPartner, partner_from_account, rows_by_name
from lms_assets.domain.records.rejections import Rejected
from lms_assets.domain.records.transcripts import Enrollment, enrollment_from_transcript
from lms_assets.domain.records.users import LmsUser, user_from_person
from lms_assets.domain.rules import Rules
from lms_assets_tests.end_to_end import vendor_records

State = Mapping[str, Any]


def accepted(results: Iterable[Any]) -> list[Any]:
    """What a rule took; a rejected record or None is left out."""
    return [each for each in results if each is not None and not isinstance(each, Rejected)]


@dataclass(frozen=True)
class Portal:
    """What the rules make of one state of the sources; counts are asked for by instant."""

    partners: dict[int, Partner]
    contacts: dict[int, Contact]
    partner_of: dict[int, int | None]
    user_of: dict[int, str | None]
    users: dict[str, LmsUser]
    links: dict[str, GroupLink]
    courses: dict[str, CourseFacts]
    enrollments: list[Enrollment]
    affiliations: tuple[Affiliation, ...]

    def counts(self, at: datetime) -> dict[int, PartnerCounts]:
        """Every partner's counts at the instant."""
        assessed = assess(self.affiliations, self.enrollments, self.courses, at=at)
        return count(assessed, self.partners)

    def people_of(self, partner_id: int) -> frozenset[str]:
        """The partner's distinct users who count."""
        return frozenset(
            each.user_id for each in self.affiliations if each.partner_id == partner_id and each.obstacle is None
        )


def portal_of(state: State, overrides: Mapping[str, int | None] | None = None, rules: Rules | None = None) -> Portal:
    """Put every record through its rule, as a first full chain does."""
    rules = rules or Rules()
    records = vendor_records.accounts(state)
    partners = {each.impartner_id: each for each in accepted(partner_from_account(row, rules, {}) for row in records)}
    contacts, partner_of, further = _contacts(state, partners, rules)
    users = {each.id: each for each in accepted(map(user_from_person, vendor_records.people(state)))}
    user_of = link_contacts([(each.impartner_id, each.email) for each in contacts.values()], users.values())
    links = _links(state, partners, overrides or {}, rules)
    courses = _courses(state, rules)
    return Portal(
        partners=partners,
        contacts=contacts,
        partner_of=partner_of,
        user_of=user_of,
        users=users,
        links=links,
        courses=courses,
        enrollments=_enrollments(state, courses),
        affiliations=partner_users(
            dict.fromkeys(partners, True),
            {each.id: PersonFacts(each.is_active, each.status) for each in users.values()},
            [GroupFacts(each.group_id, each.partner_id) for each in links.values()],
            _members(state),
            [
                *(ContactFacts(number, partner_of[number], user_of[number]) for number in contacts),
                *(ContactFacts(row, partner, user_of[row], True, number) for number, (row, partner) in further.items()),
            ],
        ),
    )


def _contacts(
    state: State, partners: dict[int, Partner], rules: Rules
) -> tuple[dict[int, Contact], dict[int, int | None], dict[int, tuple[int, int]]]:
    stored = [StoredPartner(number, each.account_name, None, number, True) for number, each in partners.items()]
    by_id = {number: number for number in partners}
    by_name = rows_by_name(stored)
    found = accepted(contact_from_user(row, rules) for row in vendor_records.users(state))

    def employer(contact: Contact) -> int | None:
        return partner_of_contact(contact, by_id, by_name)

    kept, _ = choose_per_email(found, employer)
    contacts = {each.impartner_id: each for each in kept}
    partner_of = {number: employer(each) for number, each in contacts.items()}
    holders = {each.email: AddressHolder(number, number, partner_of[number]) for number, each in contacts.items()}
    return contacts, partner_of, further_affiliations(found, holders, employer)


def _links(
    state: State, partners: dict[int, Partner], overrides: Mapping[str, int | None], rules: Rules
) -> dict[str, GroupLink]:
    groups = accepted(group_from_record(row, rules) for row in vendor_records.groups(state))
    linkable = [LinkablePartner(number, each.account_name) for number, each in partners.items()]
    return {link.group_id: link for link in link_groups(groups, linkable, overrides, rules)}


def _courses(state: State, rules: Rules) -> dict[str, CourseFacts]:
    listed = {each.id: each for each in accepted(map(course_from_record, vendor_records.courses(state)))}
    records = vendor_records.course_properties(state)
    known = {each.course_id: each for each in accepted(map(course_properties_from_record, records))}
    merged = [merge_course(listed.get(key), known.get(key)) for key in {**listed, **known}]
    category = {each.id: matching_category(each.name, rules.category_rules) for each in merged if each.npcu_value}
    return {each.id: CourseFacts(each.id, each.name, each.npcu_value, category.get(each.id)) for each in merged}


def _members(state: State) -> list[tuple[str, str]]:
    records = vendor_records.memberships(state)
    return [(group_id, person) for group_id, rows in records.items() for person in accepted(map(member_of, rows))]


def _enrollments(state: State, courses: Mapping[str, CourseFacts]) -> list[Enrollment]:
    found: list[Enrollment] = []
    for person_id, rows in vendor_records.transcripts(state).items():
        found += accepted(enrollment_from_transcript(row, person_id, courses) for row in rows)
    return found
