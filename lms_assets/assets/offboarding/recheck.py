"""What a reviewed removal rests on, asked for again at both vendors right before it is sent.

The warehouse holds the state of the last sync. Every account and contact by which a person in the plan is tied to a
partner is asked for by its id at the CRM, and every group is read at the LMS. A removal for which the rule gives
another answer now is dropped, with the reason.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from lms_assets.assets.confirmation import ById
from lms_assets.assets.crm_records import accounts, crm_users
from lms_assets.assets.offboarding.crm_deactivations import contacts_left_aside
from lms_assets.assets.offboarding.plan import Facts
from lms_assets.domain.linking.partner_users import ContactFacts
from lms_assets.domain.records.contacts import Contact
from lms_assets.domain.records.groups import group_from_record, member_of
from lms_assets.domain.records.partners import Partner
from lms_assets.domain.records.values import Rejected
from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.offboarding import NO_MEMBER, PlanItem, PlanRefused
from lms_assets.vendors.impartner.client import ImpartnerClient
from lms_assets.vendors.listing import read_until_stable
from lms_assets.vendors.northpass.client import NorthpassClient
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.reading.foundation import stored_contacts, stored_partners
from lms_assets.warehouse.reading.people import stored_groups

T = TypeVar("T")


@dataclass(frozen=True)
class Known:
    """What the warehouse knows of the plan's people, and how its rows are called at the vendors."""

    facts: Facts
    account_of: Mapping[int, int]
    """Partner row to CRM id."""
    active_accounts: frozenset[int]
    contact_of: Mapping[int, int]
    """Contact row to CRM id."""
    active_contacts: frozenset[int]
    left_aside: frozenset[int]
    """CRM ids of contacts without a row, for having the e-mail of another one."""
    person_of: Mapping[str, str]
    """E-mail of a contact's row to its LMS person."""
    group_names: Mapping[str, str]

    @classmethod
    def of(cls, connection: Connection, rules: Rules, items: Sequence[PlanItem]) -> Known:
        """As the warehouse has it now; what the plan has removed itself counts as still there."""
        planned = [(item.removal.group_id, item.removal.user_id) for item in items]
        partners, contacts = stored_partners(connection), stored_contacts(connection)
        facts = Facts.of(connection, rules, also_members=planned)
        learners = {each.id: each.lms_user_id for each in facts.contacts if each.lms_user_id is not None}
        return cls(
            facts,
            {row.id: row.impartner_id for row in partners if row.impartner_id is not None},
            frozenset(row.impartner_id for row in partners if row.is_active and row.impartner_id is not None),
            {row.id: row.impartner_id for row in contacts if row.impartner_id is not None},
            frozenset(row.impartner_id for row in contacts if row.is_active and row.impartner_id is not None),
            contacts_left_aside(connection),
            {row.email: learners[row.id] for row in contacts if row.id in learners},
            {group.id: group.name for group in stored_groups(connection)},
        )


@dataclass
class Recheck:
    """Asks again for one batch after the other; the members of a group are read once."""

    crm: ImpartnerClient
    lms: NorthpassClient
    rules: Rules
    known: Known
    _members: dict[str, set[str]] = field(default_factory=dict)
    _others: list[ContactFacts] | None = None

    def changed(self, batch: Sequence[PlanItem]) -> dict[PlanItem, str]:
        """Removals of a batch, all of one group, that must not be sent, each with the reason.

        Raises:
            VendorError: something could not be asked.
            PlanRefused: the CRM's answers prove nothing.
        """
        group_id = batch[0].removal.group_id
        if group_id not in self._members:
            self._members[group_id] = self._read_members(group_id)
        dropped = {item: NO_MEMBER for item in batch if item.removal.user_id not in self._members[group_id]}
        people = {item.removal.user_id for item in batch if item not in dropped}
        before = self.known.facts.of_people(people)
        now, news = self._as_the_crm_has_it(before)
        planned = set(now.removals())
        for item in batch:
            if item not in dropped and item.removal not in planned:
                dropped[item] = news.get(item.removal.user_id, "something else gives access now")
        return dropped

    def _read_members(self, group_id: str) -> set[str]:
        """Members of a group; nobody when it has another name than the plan was made with."""
        record = self.lms.group(group_id)
        if record is None:
            return set()
        group = group_from_record(record, self.rules)
        if isinstance(group, Rejected) or group.name != self.known.group_names.get(group_id):
            return set()
        found = read_until_stable(lambda: self.lms.memberships(group_id), convert=member_of).records
        return {each for each in found if isinstance(each, str)}

    def _as_the_crm_has_it(self, facts: Facts) -> tuple[Facts, dict[str, str]]:
        """The facts with the CRM's answers in them, and for each person what is different now."""
        crm_ids = self.known.contact_of
        answers = self._ask_contacts({crm_ids[each.id] for each in facts.contacts if each.id in crm_ids})
        people = {each.lms_user_id for each in facts.contacts}
        contacts = (
            *(self._fresh(each, answers) for each in facts.contacts),
            *(each for each in self._contacts_left_aside() if each.lms_user_id in people),
        )
        partners = {partner_id for _, partner_id in _ties(facts, contacts)}
        activity = {**facts.partners, **self._ask_accounts(partners)}
        news: dict[str, str] = {}
        for old, new in zip(facts.contacts, contacts, strict=False):
            if old != new and old.lms_user_id is not None:
                state = "at another partner" if new.is_active and old.is_active else _state(new.is_active)
                news[old.lms_user_id] = f"contact {old.id} is {state} in the CRM now"
        for user_id, partner_id in _ties(facts, contacts):
            if partner_id > 0 and activity.get(partner_id) != facts.partners.get(partner_id):
                news[user_id] = f"partner {partner_id} is {_state(activity[partner_id])} in the CRM now"
        return replace(facts, partners=activity, contacts=contacts), news

    def _fresh(self, stored: ContactFacts, answers: Mapping[int, Any]) -> ContactFacts:
        """A contact's row with the CRM's answer in it; without a CRM id it cannot be asked for and stays as it is."""
        crm_id = self.known.contact_of.get(stored.id)
        if crm_id is None:
            return stored
        answer = answers.get(crm_id)
        if not isinstance(answer, Contact):
            return replace(stored, is_active=_is_unreadable(answer))
        return replace(stored, is_active=True, partner_id=self._partner_of(answer, stored.partner_id))

    def _partner_of(self, contact: Contact, stored: int | None) -> int | None:
        """The partner row of a contact's account; one that is not stored gets a number of its own and is asked for."""
        if contact.account_id is None:
            return stored
        rows = {account: row for row, account in self.known.account_of.items()}
        return rows.get(contact.account_id, -contact.account_id)

    def _contacts_left_aside(self) -> list[ContactFacts]:
        """Contacts without a row who have the e-mail of one with a row: they may still give that person access."""
        if self._others is None:
            found = [each for each in self._ask_contacts(self.known.left_aside).values() if isinstance(each, Contact)]
            self._others = [
                ContactFacts(-each.impartner_id, self._partner_of(each, None), self.known.person_of[each.email])
                for each in found
                if each.email in self.known.person_of
            ]
        return self._others

    def _ask_contacts(self, ids: Collection[int]) -> dict[int, Contact | Rejected]:
        return _read(crm_users(self.crm, self.rules).by_id(self.known.active_contacts), ids)

    def _ask_accounts(self, partner_ids: Collection[int]) -> dict[int, bool]:
        """Partner to whether it is active now; rows without a CRM id cannot be asked for and are not there."""
        wanted = {each: -each if each < 0 else self.known.account_of.get(each) for each in partner_ids}
        source = accounts(self.crm, self.rules, {}).by_id(self.known.active_accounts)
        found = _read(source, {each for each in wanted.values() if each is not None})
        return {
            each: isinstance(found.get(account), Partner) or _is_unreadable(found.get(account))
            for each, account in wanted.items()
            if account is not None
        }


def _read(source: ById[int, T], ids: Collection[int]) -> dict[int, T | Rejected]:
    """What the rule makes of each record that answers.

    Raises:
        PlanRefused: the answers prove nothing.
    """
    # Only records of this plan's own tables are control records here: others say nothing about its people.
    answers = replace(source, others=None).answers(ids)
    if answers.problem is not None:
        raise PlanRefused(
            f"The CRM was asked again for the people of this plan, and {answers.problem}. Nothing more was sent."
        )
    return dict(answers.found)


def _ties(facts: Facts, contacts: Iterable[ContactFacts]) -> set[tuple[str, int]]:
    """(person, partner) of everybody's contacts, as they were and as they are, and of their groups."""
    partner_of = {group.id: group.partner_id for group in facts.groups if group.partner_id is not None}
    ties = {(user_id, partner_of[group_id]) for group_id, user_id in facts.members if group_id in partner_of}
    for each in (*facts.contacts, *contacts):
        if each.lms_user_id is not None and each.partner_id is not None:
            ties.add((each.lms_user_id, each.partner_id))
    return ties


def _is_unreadable(answer: object) -> bool:
    """What cannot be read may be active: then nobody is taken out on its account."""
    return isinstance(answer, Rejected) and answer.kind == "bad"


def _state(is_active: bool) -> str:
    return "active" if is_active else "inactive"
