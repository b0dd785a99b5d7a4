from __future__ import annotations

from lms_assets.domain.linking.partner_users import ContactFacts, GroupFacts, PersonFacts
from lms_assets.domain.safety.offboarding import plan_id, plan_offboarding

ACTIVE = PersonFacts(is_active=True)
GROUPS = (GroupFacts("all", None), GroupFacts("g1", 1), GroupFacts("g2", 2))


def plan(partners, members, contacts=(), people=None, groups=GROUPS):
    everybody = people or dict.fromkeys({user_id for _, user_id in members}, ACTIVE)
    return plan_offboarding(partners, everybody, groups, members, contacts, everybody_group_ids={"all"})


def pairs(removals):
    return [(each.group_id, each.user_id) for each in removals]


def test_people_of_an_inactive_partner_leave_its_group_and_all_partners():
    found = plan({1: False}, [("g1", "p"), ("all", "p")])
    assert pairs(found) == [("all", "p"), ("g1", "p")]
    assert {each.reason for each in found} == {"partner 1 is inactive"}


def test_whoever_has_an_inactive_contact_leaves_the_partners_group_and_all_partners():
    found = plan({1: True}, [("g1", "p"), ("all", "p"), ("g1", "q")], [ContactFacts(5, 1, "p", is_active=False)])
    assert pairs(found) == [("all", "p"), ("g1", "p")]
    assert {each.reason for each in found} == {"contact 5 is inactive"}


def test_somebody_in_no_group_of_a_partner_leaves_all_partners_with_the_contact():
    found = plan({1: True}, [("all", "p"), ("all", "q")], [ContactFacts(5, 1, "p", is_active=False)])
    assert [(each.user_id, each.partner_id, each.reason) for each in found] == [("p", 1, "contact 5 is inactive")]
    found = plan({}, [("all", "p")], [ContactFacts(5, None, "p", is_active=False)])
    assert [(each.partner_id, each.reason) for each in found] == [(None, "contact 5 is inactive")]
    assert plan({}, [("all", "p")], [ContactFacts(5, None, "p")]) == ()


def test_a_group_of_a_partner_that_is_not_known_loses_nobody():
    assert plan({1: False}, [("g2", "p"), ("g1", "q")]) == plan({1: False}, [("g1", "q")])


def test_somebody_who_still_belongs_to_an_active_partner_keeps_all_partners():
    members = [("g1", "p"), ("g2", "p"), ("all", "p")]
    assert pairs(plan({1: False, 2: True}, members)) == [("g1", "p")]
    by_contact = plan({1: False, 2: True}, [("g1", "p"), ("all", "p")], [ContactFacts(5, 2, "p")])
    assert pairs(by_contact) == [("g1", "p")]


def test_an_active_contact_of_an_inactive_partner_gives_no_access():
    assert pairs(plan({1: False}, [("all", "p")], [ContactFacts(5, 1, "p")])) == [("all", "p")]


def test_a_second_active_contact_at_the_partner_keeps_somebody_in():
    contacts = [ContactFacts(5, 1, "p", is_active=False), ContactFacts(6, 1, "p")]
    assert plan({1: True}, [("g1", "p"), ("all", "p")], contacts) == ()


def test_nobody_is_removed_without_a_reason():
    assert plan({1: True}, [("g1", "p"), ("all", "p"), ("all", "stranger")]) == ()


def test_people_who_are_gone_and_groups_that_are_gone_need_no_removal():
    gone = {"p": PersonFacts(is_active=False, status="deleted")}
    assert plan({1: False}, [("g1", "p"), ("all", "p")], people=gone) == ()
    assert pairs(plan({1: False}, [("g1", "p"), ("g1", "q")], people=gone | {"q": ACTIVE})) == [("g1", "q")]
    assert plan({1: False}, [("g1", "p")], groups=[GroupFacts("g1", 1, is_active=False)]) == ()


def test_the_same_plan_has_the_same_id_and_any_change_another():
    one = plan({1: False}, [("g1", "p"), ("all", "p")])
    assert plan_id(one) == plan_id(tuple(reversed(one)))
    assert plan_id(one) != plan_id(one[:1])
