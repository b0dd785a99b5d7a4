"""Changes to the vendor state, and what the vendors' answers show of them afterwards."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest
import requests

from lms_assets.sandbox import running_sandbox
from lms_assets.sandbox.changes.changes import ACTIONS
from lms_assets_tests.sandbox.callers import NOW_TEXT, Caller, settings

_LATER = "2026-03-31T10:05:00Z"


@pytest.fixture
def later(caller):
    """A sandbox five minutes after its reference time."""
    caller.handle.mutate("clock", advance_seconds=300)
    return caller


def _person(caller, person):
    return caller.northpass(f"/people/{person}").json()["data"]["attributes"]


def _account(caller, number):
    return caller.impartner(f"/Account/{number}").json()["data"]


def test_a_completion_shows_in_transcript_person_webhooks_and_course(later):
    person, course = later.case("transcript_empty"), later.case("npcu_text")
    row_id = later.handle.mutate("complete_course", person=person, course=course)
    (row,) = later.rows(f"/transcripts/{person}")
    assert (row["id"], row["attributes"]["completed_at"]) == (row_id, _LATER)
    assert row["attributes"]["expires_at"] == "2028-03-30T10:05:00Z"
    assert _person(later, person)["last_active_at"] == _person(later, person)["updated_at"] == _LATER
    newest = later.northpass("/webhooks?filter[type]=course_completed_events").json()["data"][0]["attributes"]
    assert newest["payload"]["data"]["relationships"]["person"]["data"]["id"] == person
    assert later.ids("/people?filter[updated_at][gteq]=2026-03-31T10:05:00Z") == [person]


def test_completing_again_is_another_attempt_and_an_enrollment_is_completed_in_place(later):
    person, course = later.case("transcript_empty"), later.case("npcu_text")
    enrolled = later.handle.mutate("enroll", person=person, course=course)
    completed = later.handle.mutate("complete_course", person=person, course=course, when="2026-03-01T00:00:00Z")
    again = later.handle.mutate("complete_course", person=person, course=course, expires_at=None)
    assert enrolled == completed != again
    rows = [row["attributes"] for row in later.rows(f"/transcripts/{person}")]
    assert [row["attempt_number"] for row in rows] == [1, 2]
    assert [row["completed_at"] for row in rows] == ["2026-03-01T00:00:00Z", _LATER]
    assert ["expires_at" in row for row in rows] == [True, False]


def test_activity_can_be_set_to_leave_updated_at_alone():
    with running_sandbox(settings(activity_moves_updated_at=False)) as handle:
        caller = Caller(handle)
        person = caller.case("transcript_empty")
        before = _person(caller, person)["updated_at"]
        handle.mutate("touch_person", person=person)
        assert _person(caller, person)["updated_at"] == before != NOW_TEXT
        assert _person(caller, person)["last_active_at"] == NOW_TEXT


def test_a_deleted_person_is_404_everywhere_and_out_of_all_groups(later):
    person, group = later.case("person_group_and_contact")[:2]
    later.handle.mutate("delete_person", person=person)
    assert later.northpass(f"/people/{person}").status_code == 404
    assert later.northpass(f"/transcripts/{person}").status_code == 404
    assert person not in later.ids("/people")
    members = {row["relationships"]["person"]["data"]["id"] for row in later.rows(f"/groups/{group}/memberships")}
    assert person not in members


def test_a_deleted_person_can_leave_dangling_memberships(later):
    person, group = later.case("person_group_and_contact")[:2]
    later.handle.mutate("delete_person", person=person, keep_memberships=True)
    members = {row["relationships"]["person"]["data"]["id"] for row in later.rows(f"/groups/{group}/memberships")}
    assert person in members


def test_people_are_disabled_enabled_renamed_and_readdressed(later):
    person = later.case("person_unsubscribed")
    later.handle.mutate("disable_person", person=person)
    assert (_person(later, person)["disabled"], _person(later, person)["deactivated_at"]) == (True, _LATER)
    later.handle.mutate("disable_person", person=person, dated=False)
    assert _person(later, person).get("deactivated_at") is None
    later.handle.mutate("enable_person", person=person)
    later.handle.mutate("rename_person", person=person, first_name="Neu", last_name="Name")
    later.handle.mutate("change_person_email", person=person, email="new@example.org")
    found = _person(later, person)
    assert (found["disabled"], found["full_name"], found["email"]) == (False, "Neu Name", "new@example.org")
    assert found["updated_at"] == _LATER


def test_groups_and_members_come_and_go(later):
    person = later.handle.mutate("add_person", email="late@example.org")
    group = later.handle.mutate("add_group", name="ptr_New Group", account=1001)
    later.handle.mutate("add_member", group=group, person=person)
    (row,) = later.rows(f"/groups/{group}/memberships")
    assert row["relationships"]["person"]["data"]["id"] == person
    later.handle.mutate("rename_group", group=group, name="Other")
    shown = later.northpass(f"/groups/{group}").json()["data"]["attributes"]
    assert (shown["name"], shown["user_count"], shown["updated_at"]) == ("Other", 1, _LATER)
    later.handle.mutate("remove_member", group=group, person=person)
    assert later.northpass(f"/groups/{group}").json()["data"]["attributes"]["user_count"] == 0
    later.handle.mutate("delete_group", group=group)
    assert later.northpass(f"/groups/{group}").status_code == 404


def test_transcript_rows_are_removed_and_set(later):
    person, unknown = later.case("unknown_course")
    rows = later.rows(f"/transcripts/{person}")
    gone = next(row["id"] for row in rows if row["attributes"]["resource_id"] == unknown)
    kept = next(row["id"] for row in rows if row["id"] != gone)
    later.handle.mutate("remove_transcript", transcript=gone)
    later.handle.mutate("set_transcript", transcript=kept, fields={"progress_status": "in_progress"})
    (row,) = later.rows(f"/transcripts/{person}")
    assert (row["id"], row["attributes"]["progress_status"]) == (kept, "in_progress")


def test_courses_are_added_renamed_archived_valued_and_deleted(later):
    course = later.handle.mutate("add_course", name="K2 New", npcu=1)
    later.handle.mutate("set_course", course=course, fields={"name": "K2 Newer"})
    later.handle.mutate("set_npcu", course=course, npcu="2")
    assert course in later.ids("/courses")
    properties = later.northpass(f"/properties/courses/{course}").json()["data"]["attributes"]["properties"]
    assert properties == {"name": "K2 Newer", "npcu": "2"}
    later.handle.mutate("set_npcu", course=course, npcu="missing")
    later.handle.mutate("archive_course", course=course)
    assert course not in later.ids("/courses")
    properties = later.northpass(f"/properties/courses/{course}").json()["data"]["attributes"]["properties"]
    assert properties == {"name": "K2 Newer"}
    later.handle.mutate("delete_course", course=course)
    assert course not in later.ids("/properties/courses")


def test_accounts_are_added_set_renamed_and_deleted_with_their_contacts_told(later):
    number = later.handle.mutate("add_account", name="Newbridge", fields={"CrmId": "001xx0000000001"})
    contact = later.handle.mutate("add_contact", email="c@example.org", account=number)
    later.handle.mutate("set_account", account=number, fields={"Partner_Tier__cf": "Premier", "account_status": None})
    later.handle.mutate("rename_account", account=number, name="Newerbridge")
    found = _account(later, number)
    assert (found["name"], found["partner_Tier__cf"], found["crmId"]) == ("Newerbridge", "Premier", "001xx0000000001")
    assert later.impartner(f"/User/{contact}").json()["data"]["accountName"] == "Newerbridge"
    later.handle.mutate("delete_account", account=number)
    assert later.impartner(f"/Account/{number}").status_code == 404
    changed = later.records("User", fields="AccountId", filter=f"Id = {contact} and AccountId = null")
    assert [row["id"] for row in changed] == [contact]


def test_contacts_move_with_their_accounts_name(later):
    contact = later.case("person_only_contact")[1]
    other = later.case("crm_id_15_characters")
    later.handle.mutate("set_contact", contact=contact, fields={"AccountId": other})
    found = later.impartner(f"/User/{contact}").json()["data"]
    assert (found["accountId"], found["accountName"], found["updated"]) == (other, "Fifteen Oaks", _LATER)


def test_leads_are_added_converted_and_deleted(later):
    number = later.handle.mutate("add_lead", email="lead@example.org", account=1001)
    later.handle.mutate("set_lead", lead=number, fields={"Title": "Chief"})
    later.handle.mutate("convert_lead", lead=number)
    found = later.impartner(f"/Lead/{number}").json()["data"]
    assert (found["isConverted"], found["convertedDate"], found["title"]) == (True, _LATER, "Chief")
    later.handle.mutate("delete_lead", lead=number)
    gone = later.impartner("/Lead/_deleted", fromUtc=NOW_TEXT, toUtc=_LATER).json()["data"]
    assert gone == [number]


def test_a_status_of_leads_is_renamed_and_no_lead_changes(later):
    before = later.impartner("/Lead", fields="Id,Updated", orderby="Id").json()["data"]
    later.handle.mutate("rename_lead_status", status=1, name="Fresh")
    found = later.impartner("/LeadStatus", fields="Id,Name").json()["data"]["results"]
    assert {row["id"]: row["name"] for row in found}[1] == "Fresh"
    assert later.impartner("/Lead", fields="Id,Updated", orderby="Id").json()["data"] == before


def test_the_clock_stands_still_moves_on_and_runs(caller):
    assert caller.control("/state")["clock"] == NOW_TEXT
    assert caller.handle.mutate("clock", to="2027-01-01T00:00:00") == "2027-01-01T00:00:00Z"
    assert caller.handle.mutate("clock", advance_seconds=90) == "2027-01-01T00:01:30Z"
    assert caller.handle.mutate("clock", live=True) < "2027" or caller.handle.mutate("clock") > "2026-04"


@pytest.mark.parametrize("shift", [0, 259_200, -172_800])
def test_the_date_header_is_the_real_time_and_can_be_shifted(caller, shift):
    caller.handle.mutate("shift_date", seconds=shift)
    for answer in (caller.northpass("/groups"), caller.impartner("/Account"), caller.northpass("/nothing")):
        ahead = parsedate_to_datetime(answer.headers["Date"]) - datetime.now(UTC)
        assert abs(ahead.total_seconds() - shift) < 60


def test_every_action_can_be_asked_for_over_http_one_or_several(caller):
    person = caller.case("transcript_empty")
    url = f"{caller.handle.control_url}/mutate"
    one = {"action": "rename_person", "person": person, "first_name": "A", "last_name": "B"}
    assert requests.post(url, json=one, timeout=10).json() == {"ok": True, "result": person}
    several = [{"action": "touch_person", "person": person}, {"action": "clock", "advance_seconds": 1}]
    assert requests.post(url, json=several, timeout=10).json()["result"] == [person, "2026-03-31T10:00:01Z"]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"action": "nonsense"}, "unknown action"),
        ({"action": "touch_person"}, "touch_person(person)"),
        ({"action": "touch_person", "person": "nobody"}, "nobody"),
        ({"action": "set_person", "person": "PERSON", "fields": {"nonsense": 1}}, "nonsense"),
        ({"action": "complete_course", "person": "PERSON", "course": "x", "when": "soon"}, "soon"),
        ({"person": "nobody"}, "action"),
        ("text", "action"),
    ],
)
def test_an_action_that_cannot_be_meant_is_refused_with_its_reason(caller, body, problem):
    if isinstance(body, dict) and body.get("person") == "PERSON":
        body = {**body, "person": caller.case("transcript_empty")}
    answer = requests.post(f"{caller.handle.control_url}/mutate", json=body, timeout=10)
    assert answer.status_code == 422
    assert problem in answer.json()["error"]


def test_the_state_is_the_whole_vendor_state_for_an_independent_oracle(caller):
    state = caller.control("/state")
    for name in ("people", "groups", "courses", "course_properties", "accounts", "users", "leads"):
        assert len(state[name]) == len(getattr(caller.vendor_state, name))
    assert len(state["transcripts"]) == sum(1 for _ in caller.vendor_state.every_transcript())
    assert state["cases"] == caller.vendor_state.cases
    assert {"user_count", "name"} <= set(state["groups"][0])


def test_calls_are_logged_without_keys_and_counters_reset(caller):
    caller.northpass("/people?limit=1")
    caller.impartner("/Account", take=1)
    log = caller.control("/calls")["calls"]
    assert [(entry["endpoint"], entry["status"]) for entry in log] == [("GET /people", 200), ("GET /Account", 200)]
    config = caller.handle.sandbox.config
    assert config.northpass_key not in str(log)
    assert config.impartner_key not in str(log)
    assert requests.post(f"{caller.handle.control_url}/stats/reset", timeout=10).ok
    assert caller.control("/stats")["northpass"]["calls"] == 0


def test_the_index_page_names_addresses_actions_and_faults_and_no_key(caller):
    page = requests.get(f"{caller.handle.url}/", timeout=10).text
    assert caller.handle.northpass_url in page
    assert all(f"<th>{action}</th>" in page for action in ACTIONS)
    assert caller.handle.sandbox.config.northpass_key not in page
