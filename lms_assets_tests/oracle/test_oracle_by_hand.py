"""The oracle is right: tiny vendor states whose counts anybody can work out, one for each rule."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lms_assets_tests import oracle
from lms_assets_tests.oracle import holding, links, records
from lms_assets_tests.oracle.tiny import account, contact, course, group, person, transcript, vendor_state

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def one_partner(**more):
    """Fernhill with one group and Ada in it."""
    parts = {
        "accounts": [account(1)],
        "groups": [group("g")],
        "people": [person("ada", "ada@fernhill.example.com")],
        "memberships": [("g", "ada")],
        "course_properties": [course("c")],
    }
    return vendor_state(**(parts | more))


def total(state, at=NOW, **options):
    return oracle.expected(state, at, **options).partners[1].total_npcu


def test_a_worked_example_adds_up():
    """Ada (group and contact) holds RPA (1) and K2 (2), Bo (contact only) K2 (2) and GTM (1): 2+1+1 held, 6 points."""
    state = one_partner(
        users=[
            contact(11, " ADA@fernhill.example.com", account_id=1),
            contact(12, "bo@fernhill.example.com", account_name="FERNHILL systems"),
        ],
        people=[person("ada", "ada@fernhill.example.com"), person("bo", "Bo@Fernhill.example.com ")],
        course_properties=[
            course("rpa", "RPA Expert", 1),
            course("k2", "K2 Five", "2"),
            course("gtm", "GTM Basics", 1),
        ],
        transcripts=[
            transcript("ada", "rpa"),
            transcript("ada", "k2"),
            transcript("bo", "k2"),
            transcript("bo", "gtm"),
        ],
    )
    fernhill = oracle.expected(state, NOW).partners[1]
    assert fernhill.by_category == {"nintex_ce": 1, "nintex_k2": 2, "nintex_salesforce": 0, "go_to_market": 1}
    assert (fernhill.total_npcu, fernhill.has_gtm_certification) == (6, True)
    assert (fernhill.user_ids, fernhill.group_ids) == ({"ada", "bo"}, {"g"})
    assert oracle.push_fields(fernhill)["Nintex_K2_Certifications__cf"] == 2


@pytest.mark.parametrize(
    ("values", "counts"),
    [
        ({}, True),
        ({"partner_tier": "Premier Plus"}, True),
        ({"partner_tier": "Aggregator"}, True),
        ({"partner_tier": "Pending"}, False),
        ({"partner_tier": None}, False),
        ({"partner_tier": " "}, False),
        ({"partner_tier": "Gold"}, False),
        ({"account_status": "Inactive"}, False),
        ({"account_status": None}, True),
        ({"name": "The NINTEX Shop"}, False),
        ({"name": ""}, False),
        ({"name": None}, False),
    ],
)
def test_partners_that_count(values, counts):
    assert records.partner_is_kept(account(1, **values)) is counts


@pytest.mark.parametrize(
    ("email", "counts"),
    [
        ("contestant@fern.example.com", True),
        ("protester@fern.example.com", True),
        ("test@fern.example.com", False),
        ("sales.emea@fern.example.com", False),
        ("first-SUPPORT@fern.example.com", False),
        ("my_test@fern.example.com", False),
        ("ada@NINTEX.com", False),
        ("ada@notnintex.com", True),
        ("", False),
        (None, False),
        ("ada", False),
        ("ada@fern", False),
        ("a b@fern.example.com", False),
        ("two@at@fern.example.com", False),
    ],
)
def test_contacts_that_count_by_their_address(email, counts):
    assert records.contact_is_kept(contact(1, email)) is counts


@pytest.mark.parametrize(
    "values", [{"is_active": False}, {"contact_status": "Suspended"}, {"contact_status": "terminated"}]
)
def test_contacts_that_left_do_not_count(values):
    assert not records.contact_is_kept(contact(1, "ada@fern.example.com", **values))


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("All Partners", True),
        ("All Users", False),
        ("Fern Admin", False),
        ("internal: fern", False),
        ("ptr_test", False),
        ("Contest Winners", True),
        ("Administration", True),
    ],
)
def test_groups_that_count(name, counts):
    assert records.group_is_kept(group("g", name)) is counts


def test_a_contact_of_two_lms_accounts_belongs_to_the_active_then_the_latest():
    old = person("old", "a@x.example.com", last_active_at="2026-05-01T00:00:00Z", disabled=True)
    quiet = person("quiet", "A@x.example.com")
    busy = person("busy", " a@X.example.com", last_active_at="2026-02-01T00:00:00Z")
    someone = contact(1, "a@x.example.com")
    assert records.person_of_contact(someone, [old, quiet, busy]) == "busy"
    assert records.person_of_contact(someone, [old, quiet]) == "quiet"
    assert records.person_of_contact(someone, [old]) == "old"
    assert records.person_of_contact(someone, [person("other", None)]) is None


@pytest.mark.parametrize(
    ("name", "partner"),
    [
        ("ptr_Fernhill Systems", 1),
        ("PTR_fernhill  systems ", 1),
        ("Fernhill-Systems, Inc.", 1),
        ("Férnhill Systems GmbH", 1),
        ("青葉 株式会社", 2),
        ("Кедр Консалт", 3),
        ("All Partners", None),
        ("Moorland Services", None),
    ],
)
def test_groups_find_their_partner_by_equal_names(name, partner):
    partners = {1: account(1, "Fernhill Systems LLC"), 2: account(2, "青葉 株式会社"), 3: account(3, "Кедр Консалт")}
    assert links.link_of(group("g", name), partners).partner_id == partner


def test_a_near_twin_is_never_sure_and_a_link_by_hand_always_wins():
    partners = {1: account(1, "Fernhill Systems"), 2: account(2, "Fernhall Systems")}
    near = links.link_of(group("g", "Fernhell Systems"), partners)
    assert (near.partner_id, near.sure) == (None, False)
    by_hand = links.links([group("g", "Fernhill Systems")], partners, {"g": 2})
    assert [link.partner_id for link in by_hand] == [2]
    assert links.links([group("g", "Fernhill Systems")], partners, {"g": None})[0].partner_id is None
    assert links.links([group("g", "Fernhill Systems")], partners, {"g": 99})[0].partner_id is None


@pytest.mark.parametrize(
    ("value", "points"),
    [
        (0, 0), (1, 1), (2, 2), ("1", 1), (" 2 ", 2), ("", 0), (None, 0), ("2 points", 0), (1.5, 0), (-1, 0), (7, 0),
        ("7", 0), ("1.0", 0), ("01", 0), (True, 0), ([2], 0),
    ],
)  # fmt: skip
def test_npcu_is_0_1_or_2_and_anything_else_is_0(value, points):
    assert holding.npcu_of(value) == points


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("K2 for Salesforce", "nintex_k2"),
        ("salesforce sales enablement", "nintex_salesforce"),
        ("Go To Market for RPA", "go_to_market"),
        ("Office 365 Expert", "nintex_ce"),
        ("Forms", None),
    ],
)
def test_the_highest_priority_pattern_decides_the_category(name, category):
    assert holding.category_of(name) == category


@pytest.mark.parametrize(
    ("at", "points"),
    [
        ("2025-12-31T23:59:59", 0),
        ("2026-01-01T00:00:00", 1),
        ("2026-03-31T11:59:59", 1),
        ("2026-03-31T12:00:00", 0),
    ],
)
def test_held_from_the_second_of_completion_until_the_second_before_expiry(at, points):
    rows = [transcript("ada", "c", "2026-01-01T00:00:00Z", expires_at="2026-03-31T12:00:00Z")]
    assert total(one_partner(transcripts=rows), datetime.fromisoformat(at).replace(tzinfo=UTC)) == points


def test_without_an_expiry_it_lasts_24_calendar_months():
    """From 29 February to the end of the February two years on."""
    state = one_partner(transcripts=[transcript("ada", "c", "2024-02-29T08:00:00Z")])
    assert total(state, datetime(2026, 2, 28, 7, 59, 59, tzinfo=UTC)) == 1
    assert total(state, datetime(2026, 2, 28, 8, 0, 0, tzinfo=UTC)) == 0


@pytest.mark.parametrize(
    "values",
    [
        {"resource_type": "learning_path"},
        {"progress_status": "in_progress"},
        {"completed_at": None},
        {"resource_id": "?"},
    ],
)
def test_rows_that_make_nobody_hold_anything(values):
    assert total(one_partner(transcripts=[transcript("ada", "c") | values])) == 0


def test_a_course_taken_twice_counts_once_and_two_versions_are_two_courses():
    twice = [transcript("ada", "c", "2026-01-01T00:00:00Z"), transcript("ada", "c", "2026-04-01T00:00:00Z")]
    assert total(one_partner(transcripts=twice)) == 1
    versions = [transcript("ada", "c"), transcript("ada", "c-v1")]
    assert total(one_partner(transcripts=versions, course_properties=[course("c"), course("c-v1")])) == 2


def test_an_expired_first_attempt_does_not_take_the_second_away():
    rows = [
        transcript("ada", "c", "2023-01-01T00:00:00Z", expires_at="2025-01-01T00:00:00Z"),
        transcript("ada", "c", "2025-02-01T00:00:00Z", expires_at="2027-02-01T00:00:00Z"),
    ]
    assert total(one_partner(transcripts=rows)) == 1


def test_somebody_in_two_groups_counts_once_and_in_two_partners_for_both():
    state = one_partner(
        accounts=[account(1), account(2, "Moorland Services")],
        groups=[group("g"), group("h", "Fernhill Systems"), group("m", "Moorland Services")],
        memberships=[("g", "ada"), ("h", "ada"), ("m", "ada"), ("m", "gone")],
        transcripts=[transcript("ada", "c"), transcript("gone", "c")],
    )
    result = oracle.expected(state, NOW)
    assert {number: partner.total_npcu for number, partner in result.partners.items()} == {1: 1, 2: 1}
    assert result.shared_people() == {"ada": [1, 2]}


def test_two_contacts_with_one_address_at_two_partners_count_their_person_for_both():
    state = one_partner(
        accounts=[account(1), account(2, "Moorland Services"), account(3, "Left Out", partner_tier="Pending")],
        users=[
            contact(11, "ada@fernhill.example.com", account_id=1),
            contact(12, "ADA@fernhill.example.com", account_id=2),
            contact(13, "ada@fernhill.example.com", account_id=3),
        ],
        memberships=[],
        transcripts=[transcript("ada", "c")],
    )
    result = oracle.expected(state, NOW)
    assert {number: partner.total_npcu for number, partner in result.partners.items()} == {1: 1, 2: 1}
    assert result.shared_people() == {"ada": [1, 2]}


def test_who_is_disabled_counts_for_nobody_with_or_without_a_date():
    rows = [transcript("ada", "c")]
    for values in ({"disabled": True}, {"disabled": True, "deactivated_at": "2026-01-01T00:00:00Z"}):
        assert total(one_partner(people=[person("ada", **values)], transcripts=rows)) == 0


def test_each_row_says_why_it_does_not_count():
    state = one_partner(
        course_properties=[course("c"), course("free", "Forms", "")],
        transcripts=[
            transcript("ada", "c"),
            transcript("ada", "free"),
            transcript("ada", "unknown"),
            transcript("ada", "c", "2026-07-01T00:00:00Z"),
            transcript("ada", "c", "2020-01-01T00:00:00Z"),
        ],
    )
    whys = [(reason.course_id, reason.why_not) for reason in oracle.reasons(state, NOW, 1)]
    assert whys == [
        ("c", None), ("free", "no NPCU"), ("unknown", "unknown course"), ("c", "completed later"), ("c", "expired"),
    ]  # fmt: skip


def test_what_leaves_between_two_states_is_told_by_kind():
    before = one_partner(
        accounts=[account(1), account(2, "Moorland")],
        people=[person("ada"), person("bo"), person("cy", disabled=True)],
        users=[contact(11, "ada@fern.example.com"), contact(12, "bo@fern.example.com")],
    )
    after = one_partner(
        accounts=[account(1), account(2, "Moorland", partner_tier="Pending")],
        people=[person("bo", disabled=True), person("cy")],
        users=[contact(11, "ada@fern.example.com", contact_status="Inactive")],
        groups=[],
    )
    gone = oracle.leaving(before, after)
    assert (gone.partners, gone.contacts, gone.groups) == ({2}, {11, 12}, {"g"})
    assert (gone.users_deleted, gone.users_deactivated, gone.users_arriving) == ({"ada"}, {"bo"}, {"cy"})
    assert gone.memberships == {("g", "ada")}


def test_of_two_contacts_with_one_address_the_one_with_a_partner_stands_for_both():
    state = one_partner(
        users=[
            contact(11, "ada@fern.example.com", account_id=1),
            contact(12, "ADA@fern.example.com", updated="2026-05-01T00:00:00Z"),
        ]
    )
    assert oracle.kept(state).contacts == {11}


def test_members_who_are_gone_stay_listed_and_count_for_nothing():
    state = one_partner(memberships=[("g", "ada"), ("g", "gone")], transcripts=[transcript("gone", "c")])
    assert oracle.kept(state).memberships == {("g", "ada"), ("g", "gone")}
    assert oracle.expected(state, NOW).partners[1].user_ids == {"ada"}
    assert total(state) == 0
