from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lms_assets.domain.records.contacts import (
    DUPLICATE_EMAIL,
    AddressHolder,
    Contact,
    choose_per_email,
    contact_from_user,
    further_affiliations,
    is_primary,
    partner_of_contact,
)
from lms_assets.domain.records.users import user_from_person
from lms_assets.domain.sync_plans.users import link_contacts
from lms_assets_tests.domain.records import RULES, crm_user, person, utc


def read(**fields):
    return contact_from_user(crm_user(**fields), RULES)


def test_a_crm_user_becomes_a_contact():
    assert read(Email=" Ann@LARCH.example", FirstName="Ann", Phone=4930123, Updated="2026-01-31T02:00:00") == Contact(
        impartner_id=9,
        email="ann@larch.example",
        first_name="Ann",
        last_name=None,
        title=None,
        phone="4930123",
        account_id=7,
        account_name=None,
        crm_last_modified=utc(2026, 1, 31, 2),
    )


@pytest.mark.parametrize("email", [None, "", "ann", "ann@", "@larch.example", "ann@larch"])
def test_contacts_left_out_without_a_valid_email(email):
    assert read(Email=email).kind == "excluded"


@pytest.mark.parametrize("flag", [False, "false", 0, "0"])
def test_contacts_left_out_when_inactive(flag):
    assert read(IsActive=flag).kind == "excluded"


@pytest.mark.parametrize("flag", [True, None, "true", 1, ""])
def test_only_an_explicit_false_is_inactive(flag):
    assert isinstance(read(IsActive=flag), Contact)


@pytest.mark.parametrize("status", ["Inactive", "terminated", " SUSPENDED ", "Deactivated"])
def test_contacts_left_out_by_status(status):
    assert read(Contact_Status__cf=status).kind == "excluded"


@pytest.mark.parametrize("status", [None, "", "Active", "Reactivated"])
def test_other_statuses_leave_no_contact_out(status):
    assert isinstance(read(Contact_Status__cf=status), Contact)


@pytest.mark.parametrize("domain", ["nintex.com", "BILL.com", "safalo.com", "crestan.com"])
def test_contacts_left_out_by_email_domain(domain):
    assert read(Email=f"ann@{domain}").kind == "excluded"


@pytest.mark.parametrize("domain", ["skillbill.com", "eu.bill.com", "bill.com.example", "notnintex.com"])
def test_a_domain_that_only_resembles_an_excluded_one_stays(domain):
    assert isinstance(read(Email=f"ann@{domain}"), Contact)


@pytest.mark.parametrize("word", RULES.excluded_local_part_words)
def test_contacts_left_out_by_a_word_of_the_local_part(word):
    for local in (word, word.upper(), f"{word}.emea", f"x-{word}", f"{word}+1", f"my_{word}"):
        assert read(Email=f"{local}@larch.example").kind == "excluded", local


@pytest.mark.parametrize("local", ["contestant", "protester", "salesman", "demofan", "sales2", "finances"])
def test_a_longer_word_that_contains_an_excluded_one_stays(local):
    assert isinstance(read(Email=f"{local}@larch.example"), Contact)


@pytest.mark.parametrize(
    "fields", [{"Id": "x"}, {"Email": 5}, {"Email": ["a@b.example"]}, {"IsActive": "maybe"}, {"IsActive": 2},
               {"Contact_Status__cf": 1}, {"AccountId": "seven"}, {"AccountId": True}],
)  # fmt: skip
def test_a_field_that_decides_and_cannot_be_read_makes_the_record_bad(fields):
    answer = read(**fields)
    assert answer.kind == "bad"
    assert next(iter(fields)) in answer.reason


def test_harmless_fields_may_be_broken():
    contact = read(FirstName=["x"], LastName="x" * 400, Updated="2026-02-30", Title={}, AccountName=True)
    assert (contact.first_name, contact.title, contact.crm_last_modified, contact.account_name) == (None,) * 4
    assert len(contact.last_name) == 255


def test_contact_to_partner_goes_by_account_id():
    assert partner_of_contact(read(AccountId=7, AccountName="Birch"), {7: 70}, {"birch": 80}) == 70


def test_contact_to_partner_goes_else_by_account_name():
    assert partner_of_contact(read(AccountId=None, AccountName=" BIRCH "), {7: 70}, {"birch": 80}) == 80


def test_a_contact_of_an_account_that_was_left_out_goes_to_no_other_of_that_name():
    assert partner_of_contact(read(AccountId=6, AccountName="Birch"), {7: 70}, {"birch": 80}) is None


def contact(impartner_id, email="ann@larch.example", account_id=None, updated=None):
    return read(Id=impartner_id, Email=email, AccountId=account_id, Updated=updated)


def partner_of(each):
    return {7: 70}.get(each.account_id)


def test_of_contacts_with_one_email_a_partners_is_first_then_latest_then_highest_id():
    of_partner = contact(1, account_id=7, updated="2020-01-01")
    latest = contact(2, updated="2026-01-01")
    undated = contact(9)
    kept, rejected = choose_per_email([undated, latest, of_partner], partner_of)
    assert [each.impartner_id for each in kept] == [1]
    assert sorted(each.entity_id for each in rejected) == ["2", "9"]
    assert {(each.kind, each.entity_type) for each in rejected} == {("duplicate", DUPLICATE_EMAIL)}
    assert {each.reason for each in rejected} == {"contact 1 has the same e-mail and goes first"}
    assert choose_per_email([latest, latest], partner_of) == ((latest,), ())
    assert choose_per_email([undated, latest], partner_of)[0] == (latest,)
    assert choose_per_email([contact(3), contact(4)], partner_of)[0] == (contact(4),)


@given(st.permutations([contact(1, account_id=7), contact(2), contact(3, "ben@larch.example"), contact(4)]))
def test_the_choice_does_not_depend_on_the_order(contacts):
    kept, rejected = choose_per_email(contacts, partner_of)
    assert [each.impartner_id for each in kept] == [1, 3]
    assert sorted(each.entity_id for each in rejected) == ["2", "4"]


def test_the_primary_contact_is_the_accounts_primary_user():
    assert is_primary(contact(3, account_id=7), {7: 3})
    assert not is_primary(contact(3, account_id=7), {7: 4})
    assert not is_primary(contact(3), {7: 3})


def user(user_id, email="ann@larch.example", *, disabled=False, last_active_at=None):
    return user_from_person(person(user_id, email=email, disabled=disabled, last_active_at=last_active_at))


def test_contact_to_lms_user_goes_by_email_ignoring_case_and_blanks():
    assert link_contacts([(1, " ANN@larch.example ")], [user("a", "Ann@Larch.Example ")]) == {1: "a"}


def test_a_link_moves_with_the_email():
    assert link_contacts([(1, "ann@larch.example")], [user("a", "moved@larch.example"), user("b")]) == {1: "b"}


def test_of_accounts_with_one_email_the_active_then_latest_then_lowest_id_is_linked():
    disabled = user("a", disabled=True, last_active_at="2026-01-01")
    never, early, late = user("b"), user("c", last_active_at="2025-01-01"), user("d", last_active_at="2025-06-01")
    contacts = [(1, "ann@larch.example")]
    assert link_contacts(contacts, [disabled, never, early, late]) == {1: "d"}
    assert link_contacts(contacts, [never, disabled]) == {1: "b"}
    assert link_contacts(contacts, [user("z"), never]) == {1: "b"}
    assert link_contacts(contacts, [disabled]) == {1: "a"}


def test_accounts_that_are_gone_or_have_no_email_are_not_linked():
    gone = replace(user("a"), status="deleted", is_active=False)
    contacts = [(1, "ann@larch.example"), (2, None)]
    assert link_contacts(contacts, [gone, user("b", None)]) == {1: None, 2: None}
    assert link_contacts(contacts, [gone, user("b", None), user("c")]) == {1: "c", 2: None}


@given(st.permutations([user("a"), user("b", last_active_at="2025-01-01"), user("c", disabled=True), user("d", None)]))
def test_a_link_does_not_depend_on_the_order_of_accounts(users):
    assert link_contacts([(1, "Ann@larch.example")], users) == {1: "b"}


def test_a_contact_whose_address_another_holds_counts_for_its_own_partner():
    """Not for the holder's partner, which has the person already, nor for none, nor for an address nobody holds."""
    people = [read(Id=1, AccountId=7), read(Id=2, AccountId=8), read(Id=3, AccountId=7), read(Id=4, AccountId=None)]
    alone = read(Id=5, AccountId=8, Email="bob@larch.example")
    holders = {people[0].email: AddressHolder(11, 1, 70)}
    found = further_affiliations([*people, alone], holders, lambda each: {7: 70, 8: 80}.get(each.account_id))
    assert found == {2: (11, 80)}
