"""A bad answer costs nobody anything: what seems to be gone is asked for, what seems to have changed is read again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lms_assets_tests.assets.queries import a_group_of_people, row_of, sample_of, the_state
from lms_assets_tests.harness.agreement import differences
from lms_assets_tests.harness.chain import ChainHarness

pytestmark = pytest.mark.slow
LONG = pytest.mark.long

LISTS = {
    "partners": "GET /Account",
    "contacts": "GET /User",
    "users": "GET /people",
    "groups": "GET /groups",
    "memberships": "GET /groups/{id}/memberships",
    "courses": "GET /courses",
    "course_npcu": "GET /properties/courses",
}


@pytest.mark.parametrize("asset", LISTS)
@pytest.mark.parametrize("cut", ["half", "all", "all but one"])
def test_a_list_that_ends_early_unannounced_takes_nothing_away(synced: ChainHarness, asset: str, cut: str) -> None:
    """However little it lacks, and though the vendor's own count agrees with it."""
    before = the_state(synced)
    vendor_state = synced.sandbox.vendor_state
    sizes = {
        "GET /Account": len(vendor_state.accounts),
        "GET /User": len(vendor_state.users),
        "GET /people": len(vendor_state.people),
        "GET /groups": len(vendor_state.groups),
        "GET /courses": len(vendor_state.courses),
        "GET /properties/courses": len(vendor_state.course_properties),
    }
    keep = {"half": None, "all": 0, "all but one": sizes.get(LISTS[asset], 2) - 1}[cut]
    synced.sandbox.faults.add("cut_short", LISTS[asset], **({} if keep is None else {"keep": keep}))
    synced.run(assets=(asset,))
    assert the_state(synced) == before


@pytest.mark.parametrize("asset", ["partners", "contacts"])
def test_a_crm_list_that_ends_early_is_read_on_from_where_it_ended(harness: ChainHarness, asset: str) -> None:
    """At the first load nothing is stored that could show the gap."""
    harness.sandbox.faults.add("cut_short", LISTS[asset], first=2)
    result = harness.run()
    assert result.success, result.errors
    assert differences(harness) == []


def test_people_whom_a_cut_list_lacks_are_found_as_members(harness: ChainHarness) -> None:
    """At the first load: their groups know them, and they answer when asked for."""
    harness.sandbox.faults.add("cut_short", LISTS["users"], first=2)
    result = harness.run()
    members = {row["user_id"] for row in harness.rows("lms_group_members")} & set(harness.sandbox.vendor_state.people)
    assert members <= {row["id"] for row in harness.rows("lms_users")}
    assert result.metadata["enrollments"]["people_missing_in_the_list_of_people"] > 0


def test_a_404_for_members_of_a_group_that_counts_some_keeps_them(synced: ChainHarness) -> None:
    group, _ = a_group_of_people(synced)
    synced.sandbox.faults.add("not_found", f"GET /groups/{group}/memberships")
    before = the_state(synced)
    result = synced.run(assets=("memberships",))
    assert the_state(synced) == before
    assert "memberships_are_current" in result.red


def test_a_group_that_seems_empty_at_first_is_doubted_and_its_partner_not_pushed(
    harness: ChainHarness,
) -> None:
    """A count that is too low costs a tier; the CRM keeps what it had until the group was read whole."""
    vendor_state = harness.sandbox.vendor_state
    link = next(group for group in vendor_state.intended_links if len(vendor_state.memberships[group]) > 3)
    number = harness.sandbox.faults.add("not_found", f"GET /groups/{link}/memberships")
    result = harness.run()
    partner = row_of(harness, "lms_groups", id=link)["partner_id"]
    account = row_of(harness, "partners", id=partner)["impartner_id"]
    assert account not in {row["impartner_id"] for row in harness.rows("pushed_partner_counts")}
    assert result.metadata["pushed_partner_cert_counts"]["partners_withheld"] == 1
    assert {"memberships_are_current", "no_partner_is_withheld"} <= result.red
    (told,) = sample_of(result, "no_partner_is_withheld")
    assert told == f"partner {partner}: members of group {link} were never read completely"
    harness.sandbox.faults.remove(number)
    fixed = harness.run()
    assert (fixed.success, "no_partner_is_withheld" in fixed.red) == (True, False)
    assert differences(harness) == []


def test_a_wrong_404_for_members_of_a_group_without_a_count_is_no_empty_list(
    harness: ChainHarness,
) -> None:
    """At the first load nothing else could show it; the list is read a second time."""
    vendor_state = harness.sandbox.vendor_state
    group = next(each for each in vendor_state.intended_links if len(vendor_state.memberships[each]) > 3)
    place = list(vendor_state.groups).index(group)
    harness.sandbox.faults.add("null_field", "GET /groups", field="attributes.user_count", row=place)
    harness.sandbox.faults.add("not_found", f"GET /groups/{group}/memberships", first=1)
    assert "memberships_are_current" in harness.run().red
    assert row_of(harness, "lms_groups", id=group)["members_synced_at"] is None
    harness.sandbox.faults.reset()
    assert harness.run().success
    assert differences(harness) == []


def test_one_404_for_the_transcript_of_somebody_who_is_there_loses_nothing(synced: ChainHarness) -> None:
    person = next(row["user_id"] for row in synced.rows("lms_enrollments"))
    synced.sandbox.faults.add("not_found", f"GET /transcripts/{person}", first=1)
    before = the_state(synced)
    result = synced.run(assets=("enrollments",))
    assert the_state(synced) == before
    assert result.metadata["enrollments"]["transcripts_not_sure"] == 0
    assert row_of(synced, "lms_users", id=person)["transcript_read_at"] == synced.now


@pytest.mark.parametrize("reading", [0, 1])
def test_a_wrong_404_at_the_first_load_is_no_empty_transcript(harness: ChainHarness, reading: int) -> None:
    """Whoever holds something is not taken for somebody without a transcript; the partner waits."""
    holder = next(each for each, rows in harness.sandbox.vendor_state.transcripts.items() if len(rows) > 2)
    harness.sandbox.faults.add("not_found", f"GET /transcripts/{holder}", first=1, after=reading)
    result = harness.run()
    assert result.success, result.errors
    harness.sandbox.faults.reset()
    harness.advance(hours=4)
    assert harness.run("enrollments_incremental").success
    assert harness.run("push_to_impartner").success
    assert differences(harness) == []


@pytest.mark.parametrize("answer", ["404", "list"])
def test_whoever_has_no_transcript_any_more_holds_nothing(synced: ChainHarness, answer: str) -> None:
    """404 for the transcript and 200 for the person, twice over, is an empty transcript, and no failure."""
    synced.sandbox.sandbox.config = replace(synced.sandbox.sandbox.config, empty_transcripts=answer)
    person = next(row["user_id"] for row in synced.rows("lms_enrollments") if row["completed_at"])
    for row in list(synced.sandbox.vendor_state.transcripts[person]):
        synced.sandbox.mutate("remove_transcript", transcript=row.id)
    result = synced.run()
    assert result.success, result.errors
    assert "transcripts_were_all_read" not in result.red
    assert not [row for row in synced.rows("lms_enrollments") if row["user_id"] == person]
    assert differences(synced) == []


def test_people_without_transcripts_cost_one_call_each_once_that_is_known(synced: ChainHarness) -> None:
    """The vendor answers 404 for them, as published clients meet it."""
    bare = [
        each for each in synced.sandbox.vendor_state.people if not synced.sandbox.vendor_state.transcripts.get(each)
    ]
    known = {row["id"] for row in synced.rows("lms_users") if row["transcript_read_at"]} & set(bare)
    assert known
    synced.sandbox.reset_stats()
    synced.run(assets=("enrollments",))
    asked = [call["path"] for call in synced.sandbox.calls()]
    person = sorted(known)[0]
    assert asked.count(f"/transcripts/{person}") == 1
    assert f"/people/{person}" not in asked


@pytest.mark.parametrize(
    ("asset", "kind", "options"),
    [
        ("partners", "missing_field", {"field": "partner_Tier__cf"}),
        pytest.param("partners", "wrong_type", {"field": "account_Status__cf", "value": "Inactive"}, marks=LONG),
        pytest.param("contacts", "wrong_type", {"field": "isActive", "value": False}, marks=LONG),
        ("contacts", "null_field", {"field": "accountId"}),
        pytest.param("contacts", "missing_field", {"field": "email"}, marks=LONG),
        ("users", "wrong_type", {"field": "attributes.disabled", "value": True}),
        pytest.param("users", "null_field", {"field": "attributes.email"}, marks=LONG),
        ("groups", "wrong_type", {"field": "attributes.name", "value": "Internal test"}),
        ("course_npcu", "null_field", {"field": "attributes.properties.npcu"}),
    ],
)
def test_a_record_that_is_wrong_once_costs_nobody_anything(
    synced: ChainHarness, asset: str, kind: str, options: dict[str, Any]
) -> None:
    """Each record in turn comes damaged in the listing and right when it is asked for."""
    vendor_state = synced.sandbox.vendor_state
    before = _what_counts(synced)
    rows = {
        "partners": vendor_state.accounts,
        "contacts": vendor_state.users,
        "users": vendor_state.people,
        "groups": vendor_state.groups,
    }
    for place in range(0, min(100, len(rows.get(asset, vendor_state.course_properties))), 29):
        synced.sandbox.faults.reset()
        synced.sandbox.faults.add(kind, LISTS[asset], first=1, row=place, **options)
        synced.run(assets=(asset,))
        assert _what_counts(synced) == before, f"record {place}"


def _what_counts(harness: ChainHarness) -> dict[str, Any]:
    return {
        **the_state(harness),
        "contacts' links": {row["id"]: (row["partner_id"], row["lms_user_id"]) for row in harness.rows("contacts")},
        "points": {row["id"]: row["npcu_value"] for row in harness.rows("lms_courses")},
        "groups' links": {row["id"]: row["partner_id"] for row in harness.rows("lms_groups")},
    }


def test_a_completion_that_is_missing_once_is_not_taken_back(synced: ChainHarness) -> None:
    enrollment = next(row for row in synced.rows("lms_enrollments") if row["completed_at"])
    for kind, field in (("null_field", "completed_at"), ("wrong_type", "progress_status")):
        options = {"value": "enrolled"} if kind == "wrong_type" else {}
        synced.sandbox.faults.add(
            kind, f"GET /transcripts/{enrollment['user_id']}", first=1, field=f"attributes.{field}", **options
        )
        synced.run(assets=("enrollments",))
        assert row_of(synced, "lms_enrollments", id=enrollment["id"])["completed_at"] == enrollment["completed_at"]
        assert row_of(synced, "lms_enrollments", id=enrollment["id"])["status"] == "completed"


def test_a_first_push_that_would_lower_the_crm_far_is_blocked_until_allowed(harness: ChainHarness) -> None:
    """An older portal kept these counts; a first load that lacks half the people must not overwrite them."""
    for number in list(harness.sandbox.vendor_state.accounts):
        harness.sandbox.mutate("set_account", account=number, fields={"total_npcu": 40})
    result = harness.run()
    assert result.failed == ("pushed_partner_cert_counts",)
    assert "lms-assets run push_to_impartner --allow first_push" in result.errors["pushed_partner_cert_counts"]
    assert "PATCH /Account" not in harness.sandbox.stats()["impartner"]["by_endpoint"]
    assert harness.run("push_to_impartner", allow=("first_push",)).success
    (use,) = harness.rows("sync_override_uses")
    assert (use["what"], use["asset"], use["used_by"]) == ("first_push", "pushed_partner_cert_counts", "the test")
    assert use["number"] > 20
    assert differences(harness) == []
