"""The product's rules from raw records to counts, in one process without HTTP, database or Dagster.

The same plans that the assets write, in the assets' order, of a first load; a row's id is here its vendor id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lms_assets.domain.counting.certifications import CourseFacts, PartnerCounts, assess, count
from lms_assets.domain.linking.group_links import GroupLink
from lms_assets.domain.linking.partner_users import Affiliation, ContactFacts, GroupFacts, PersonFacts, partner_users
from lms_assets.domain.records.contacts import AddressHolder, Contact, contact_from_user, further_affiliations
from lms_assets.domain.records.courses import (
    course_from_record,
    course_properties_from_record,
    matching_category,
    merge_course,
)
from lms_assets.domain.records.groups import group_from_record, member_of
from lms_assets.domain.records.partners import Partner, StoredPartner, partner_from_account
from lms_assets.domain.records.transcripts import Enrollment, read_transcript
from lms_assets.domain.records.users import LmsUser, user_from_person
from lms_assets.domain.records.values import Rejected
from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.confirmation import ListingResult
from lms_assets.domain.sync_plans.contacts import ContactPlan, Employers, plan_contacts
from lms_assets.domain.sync_plans.counts import plan_ledger
from lms_assets.domain.sync_plans.crm import plan_partners
from lms_assets.domain.sync_plans.enrollments import plan_enrollments
from lms_assets.domain.sync_plans.groups import LinkedTo, plan_groups
from lms_assets.domain.sync_plans.users import link_contacts, plan_users
from lms_assets_tests.end_to_end import vendor_records

State = Mapping[str, Any]


def listed(results: Iterable[Any]) -> ListingResult[Any]:
    """What a complete listing comes to once each record went through its rule."""
    results = list(results)
    return ListingResult(
        tuple(each for each in results if not isinstance(each, Rejected)),
        tuple(each for each in results if isinstance(each, Rejected)),
    )


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
    members: list[tuple[str, str]]
    further: list[ContactFacts]

    def counts(self, at: datetime) -> dict[int, PartnerCounts]:
        """Every partner's counts at the instant."""
        assessed = assess(self.affiliations, self.enrollments, self.courses, at=at)
        plan = plan_ledger(self.affiliations, assessed, at=at, read_at=at)
        return count(plan.rows.values(), self.partners)

    def people_of(self, partner_id: int) -> frozenset[str]:
        """The partner's distinct users who count."""
        return frozenset(
            each.user_id for each in self.affiliations if each.partner_id == partner_id and each.obstacle is None
        )


def portal_of(state: State, overrides: Mapping[str, int | None] | None = None, rules: Rules | None = None) -> Portal:
    """Put every record through its rule, as a first full chain does."""
    rules = rules or Rules()
    accounts = listed(partner_from_account(row, rules, {}) for row in vendor_records.accounts(state))
    partners = {partner.impartner_id: partner for _, partner in plan_partners(accounts, (), {}).assignment.rows}
    stored = [StoredPartner(number, each.account_name, None, number, True) for number, each in partners.items()]
    employers = Employers.of(stored, {})
    contacts = plan_contacts(
        listed(contact_from_user(row, rules) for row in vendor_records.users(state)), (), (), employers, {}
    )
    partner_of = {row.impartner_id: row.partner_id for row in contacts.rows}
    people = plan_users(listed(map(user_from_person, vendor_records.people(state))), {}, {})
    users = {each.id: each for each in people.rows}
    user_of = link_contacts([(row.impartner_id, row.email) for row in contacts.rows], users.values())
    groups = listed(group_from_record(row, rules) for row in vendor_records.groups(state))
    links = plan_groups(groups, {}, LinkedTo(stored, overrides or {}, {}), {}, rules).links
    courses = _courses(state, rules)
    members, further = _members(state), _further(contacts, employers, user_of)
    return Portal(
        partners=partners,
        contacts={each.impartner_id: each for each in contacts.listing.accepted if each.impartner_id in partner_of},
        partner_of=partner_of,
        user_of=user_of,
        users=users,
        links=dict(links),
        courses=courses,
        enrollments=_enrollments(state, courses),
        affiliations=partner_users(
            dict.fromkeys(partners, True),
            {each.id: PersonFacts(each.is_active, each.status) for each in users.values()},
            [GroupFacts(each.group_id, each.partner_id) for each in links.values()],
            members,
            [
                *(ContactFacts(number, partner_of[number], user_of[number]) for number in partner_of),
                *further,
            ],
        ),
        members=members,
        further=further,
    )


def _further(plan: ContactPlan, employers: Employers, user_of: Mapping[int, str | None]) -> list[ContactFacts]:
    """Contacts whose e-mail another one has, at another partner."""
    holders = {row.email: AddressHolder(row.impartner_id, row.impartner_id, row.partner_id) for row in plan.rows}
    found = further_affiliations(plan.listing.accepted, holders, employers.active_partner_of)
    return [ContactFacts(row, partner, user_of[row], True, number) for number, (row, partner) in found.items()]


def _courses(state: State, rules: Rules) -> dict[str, CourseFacts]:
    named = {each.id: each for each in listed(map(course_from_record, vendor_records.courses(state))).accepted}
    records = vendor_records.course_properties(state)
    known = {each.course_id: each for each in listed(map(course_properties_from_record, records)).accepted}
    merged = [merge_course(named.get(key), known.get(key)) for key in {**named, **known}]
    category = {each.id: matching_category(each.name, rules.category_rules) for each in merged if each.npcu_value}
    return {each.id: CourseFacts(each.id, each.name, each.npcu_value, category.get(each.id)) for each in merged}


def _members(state: State) -> list[tuple[str, str]]:
    records = vendor_records.memberships(state)
    return [
        (group_id, person) for group_id, rows in records.items() for person in listed(map(member_of, rows)).accepted
    ]


def _enrollments(state: State, courses: Mapping[str, CourseFacts]) -> list[Enrollment]:
    transcripts = vendor_records.transcripts(state)
    reads = [read_transcript(person, rows, courses, complete=True) for person, rows in transcripts.items()]
    return plan_enrollments(transcripts, reads, {}, everybody=True, read_at={}).rows("complete", "partial")
