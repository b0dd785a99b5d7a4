"""The data: reproducible, fictional, at scale, with every edge-case case in it."""

from __future__ import annotations

import itertools
import random
import re
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from lms_assets.sandbox import SandboxConfig, build_vendor_state
from lms_assets.sandbox.edge_cases.collection import CASES
from lms_assets.sandbox.state import ids
from lms_assets.sandbox.state.names import company_words
from lms_assets_tests.architecture.source import ROOT
from lms_assets_tests.oracle import expected
from lms_assets_tests.sandbox.callers import NOW, NOW_TEXT, settings

_REAL_DOMAINS_ALLOWED = {"nintex.com", "bill.com", "safalo.com", "crestan.com"}


@pytest.fixture(scope="module")
def vendor_state():
    return build_vendor_state(settings(scale=0.05))


def _all_ids(vendor_state):
    records = (
        vendor_state.people,
        vendor_state.groups,
        vendor_state.course_properties,
        vendor_state.courses,
        vendor_state.accounts,
        vendor_state.users,
    )
    known = {key for rows in records for key in rows} | {row.id for row in vendor_state.every_transcript()}
    gone = set(vendor_state.cases["members_gone"][1:]) | set(vendor_state.cases["unknown_course"][1:])
    return known | gone


def test_the_same_seed_scale_and_time_make_the_same_vendor_state():
    assert build_vendor_state(settings()).digest() == build_vendor_state(settings()).digest()


@pytest.mark.parametrize("other", [{"seed": 2}, {"scale": 0.03}, {"now": NOW + timedelta(hours=1)}])
def test_another_seed_scale_or_time_makes_another_vendor_state(other):
    assert build_vendor_state(settings(**other)).digest() != build_vendor_state(settings()).digest()


def test_serving_settings_do_not_change_the_vendor_state():
    assert (
        build_vendor_state(settings(latency_ms=5, northpass_rps=3)).digest() == build_vendor_state(settings()).digest()
    )


@pytest.mark.parametrize("scale", [0.001, 0.02, 0.05])
@pytest.mark.parametrize("seed", [1, 2])
def test_every_edge_case_case_is_there_at_every_scale(scale, seed):
    vendor_state = build_vendor_state(settings(scale=scale, seed=seed))
    assert set(vendor_state.cases) == set(CASES)
    known = _all_ids(vendor_state)
    missing = {name: found for name, found in vendor_state.cases.items() if not found or not set(found) <= known}
    assert not missing


@pytest.mark.slow
def test_full_scale_has_the_volumes_the_system_is_built_for():
    vendor_state = build_vendor_state(SandboxConfig(scale=1.0, now=NOW))
    sizes = {name: len(getattr(vendor_state, name)) for name in ("people", "groups", "courses", "course_properties")}
    assert sizes == {"people": 22_000, "groups": 1_600, "courses": 452, "course_properties": 600}
    assert (len(vendor_state.users), len(vendor_state.leads)) == (40_000, 72_000)
    assert sum(lead.partner_account_id is not None for lead in vendor_state.leads.values()) == 20_000
    assert sum(1 for _ in vendor_state.every_transcript()) == 28_000
    assert sum(account is not None for account in vendor_state.intended_links.values()) == 1_079
    assert 4_300 < len(vendor_state.memberships[vendor_state.cases["group_all_partners"][0]]) < 4_600


def test_all_addresses_are_made_up_but_those_of_the_exclusion_list(vendor_state):
    addresses = [
        row.email
        for rows in (vendor_state.people, vendor_state.users, vendor_state.leads)
        for row in rows.values()
        if row.email
    ]
    domains = {address.strip().lower().rpartition("@")[2] for address in addresses if "@" in address}
    real = {domain for domain in domains if not re.fullmatch(r"(.+\.)?example\.(com|org|net)", domain)}
    assert real == _REAL_DOMAINS_ALLOWED


def test_instants_are_whole_utc_seconds(vendor_state):
    texts = [row.updated_at for row in vendor_state.people.values()] + [
        row.updated for row in vendor_state.accounts.values()
    ]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text) for text in texts)
    assert vendor_state.now == NOW_TEXT


@pytest.mark.parametrize("count", [200, 34_040], ids=["small", "ten_times_the_real_volume"])
def test_company_words_are_never_near_twins_by_accident(count):
    words = list(company_words(random.Random(3), count))
    assert len(set(words)) == count
    for first, second in itertools.combinations(words[:200], 2):
        assert sum(one != other for one, other in zip(first, second, strict=True)) >= 4


def test_people_are_listed_by_creation_so_that_edge_case_ones_lie_scattered(vendor_state):
    created = [person.created_at for person in vendor_state.people.values()]
    assert created == sorted(created)


def test_the_case_of_the_exact_expiry_lies_exactly_on_the_reference_time(vendor_state):
    def expiry(case):
        return vendor_state.transcripts[vendor_state.cases[case][0]][0].expires_at

    assert expiry("expiry_at_now") == NOW_TEXT
    assert expiry("expiry_a_second_ago") == "2026-03-31T09:59:59Z"
    assert expiry("expiry_in_a_second") == "2026-03-31T10:00:01Z"


def test_24_months_before_the_last_of_february_exists_in_other_years_too():
    leap_day = datetime(2028, 2, 29, 5, 0, tzinfo=UTC)
    vendor_state = build_vendor_state(settings(now=leap_day))
    (person,) = vendor_state.cases["expiry_missing_at_24_months"]
    assert vendor_state.transcripts[person][0].completed_at == "2026-02-28T05:00:00Z"


def test_npcu_cases_hold_what_they_say(vendor_state):
    def npcu(case):
        return vendor_state.course_properties[vendor_state.cases[case][0]].properties.get("npcu", "missing")

    served = [npcu(f"npcu_{case}") for case in ("text", "text_with_blanks", "empty", "null", "missing", "fraction")]
    assert served == ["2", " 1 ", "", None, "missing", 1.5]
    assert [npcu(f"npcu_{case}") for case in ("too_high", "negative", "with_unit")] == [7, -1, "2 points"]


def test_renewals_have_a_second_attempt(vendor_state):
    (person,) = vendor_state.cases["renewal_after_expiry"]
    assert [row.attempt_number for row in vendor_state.transcripts[person]] == [1, 2]


def test_shared_and_missing_addresses_are_as_the_cases_say(vendor_state):
    active, disabled, contact = vendor_state.cases["email_shared_one_disabled"]
    assert vendor_state.people[active].email == vendor_state.people[disabled].email == vendor_state.users[contact].email
    assert (vendor_state.people[active].disabled, vendor_state.people[disabled].disabled) == (False, True)
    assert vendor_state.people[vendor_state.cases["person_without_email"][0]].email is None


def test_salesforce_ids_have_15_or_18_characters_and_a_right_check(vendor_state):
    crm_ids = {row.crm_id for row in vendor_state.accounts.values() if row.crm_id}
    assert {len(crm_id) for crm_id in crm_ids} == {15, 18}
    assert all(ids.salesforce_check(each[:15]) == each[15:] for each in crm_ids if len(each) == 18)
    one, other = (vendor_state.accounts[number].crm_id for number in vendor_state.cases["crm_ids_differ_in_case"])
    assert one != other
    assert one.lower() == other.lower()


def test_compound_ids_are_longer_than_older_tables_allow(vendor_state):
    long_ones = [
        vendor_state.cases["person_compound_id"][0],
        vendor_state.cases["group_compound_id"][0],
        vendor_state.cases["transcript_compound_id"][1],
    ]
    group, person = vendor_state.cases["membership_compound_id"]
    assert all(len(each) > 50 for each in [*long_ones, vendor_state.memberships[group][person].id])


def test_members_that_are_gone_are_members_and_no_people(vendor_state):
    group, *gone = vendor_state.cases["members_gone"]
    assert set(gone) <= set(vendor_state.memberships[group])
    assert not set(gone) & set(vendor_state.people)


def test_settings_that_nobody_can_mean_are_refused():
    for wrong in ({"scale": 0}, {"northpass_rps": -1}, {"now": datetime(2026, 1, 1)}):
        with pytest.raises(ValueError, match=r"scale|negative|aware"):
            SandboxConfig(**wrong)


def test_keys_do_not_show_when_the_settings_are_printed():
    assert "key" not in repr(SandboxConfig(northpass_key="a-very-own-key")).replace("_key", "")
    assert "a-very-own-key" not in repr(SandboxConfig(northpass_key="a-very-own-key"))


def test_the_partner_that_the_quickstart_shows_is_an_ordinary_one_of_the_demo():
    (name,) = re.findall(r'lms-assets why "([^"]+)"', (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8"))
    demo = build_vendor_state(SandboxConfig(scale=0.05, now=NOW))
    (account,) = [each for each in demo.accounts.values() if each.name == name]
    assert not [case for case, ids in demo.cases.items() if account.id in ids]
    counted = expected(demo.state(), NOW).partners
    assert counted[account.id].total_npcu >= 5

    first = max(counted, key=lambda key: counted[key].total_npcu)
    assert not [case for case, ids in demo.cases.items() if first in ids], "an ordinary one leads the rankings"
    owners = Counter(demo.accounts[each].account_owner for each in counted)
    assert max(owners.values()) < 2 * min(owners.values()), "nor does one account manager have them all"
