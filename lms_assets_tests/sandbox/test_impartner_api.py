"""The Impartner side over real HTTP, called with plain requests."""

from __future__ import annotations

import pytest
import requests

from lms_assets.sandbox import IMPARTNER_KEY, running_sandbox
from lms_assets_tests.sandbox.callers import Caller, settings

_PUSHED = {
    "Nintex_CE_Certifications__cf": 4,
    "Nintex_K2_Certifications__cf": 3,
    "Nintex_for_Salesforce_Certifications__cf": 2,
    "Nintex_GTM_Certifications__cf": 1,
    "Total_NPCU__cf": 15,
    "LMS_Account_ID__cf": "a-group-id",
    "LMS_Group_Name__cf": "ptr_Gableworks",
    "LMS_Training_Dashboard__cf": "https://portal.example.com/7",
}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": f"prm-key {IMPARTNER_KEY}"},
        {"Authorization": IMPARTNER_KEY, "X-PRM-TenantId": "1"},
        {"Authorization": f"prm-key {IMPARTNER_KEY}", "X-PRM-TenantId": "2"},
    ],
)
def test_without_the_right_key_and_tenant_calls_are_401(reader, headers):
    answer = requests.get(reader.handle.impartner_url + "/Account", headers=headers, timeout=10)
    assert answer.status_code == 401
    assert answer.json()["success"] is False


def test_only_fields_asked_for_come_with_a_lower_first_letter_and_always_the_id(reader):
    rows = reader.records("Account", fields="Name,Partner_Tier__cf,CrmId")
    assert {key for row in rows for key in row} == {"id", "name", "partner_Tier__cf", "crmId"}


def test_empty_fields_are_missing_in_some_records_and_null_in_others(reader):
    without = [row for row in reader.records("Account", fields="Id,MailingCity") if not row.get("mailingCity")]
    assert {"mailingCity" in row for row in without} == {True, False}


def test_count_is_that_of_the_filter_and_paging_by_id_gives_every_record_once(reader):
    found, skip = [], 0
    while True:
        data = reader.impartner("/User", fields="Id", orderby="Id", skip=skip, take=100).json()["data"]
        assert (data["count"], data["entity"]) == (len(reader.vendor_state.users), "User")
        if not data["results"]:
            break
        found += [row["id"] for row in data["results"]]
        skip += 100
    assert found == sorted(reader.vendor_state.users)


def test_take_is_at_most_100(reader):
    assert len(reader.records("User", fields="Id", take=1000)) == 100


def test_without_an_order_pages_do_not_fit_together(reader):
    first, again = (reader.impartner("/User", fields="Id", take=50).json()["data"]["results"] for _ in range(2))
    assert first != again


def test_orders_go_down_too_and_by_several_fields(reader):
    rows = reader.records("Account", fields="Id,Partner_Tier__cf,Updated", orderby="Updated desc, Id")
    updated = [row["updated"] for row in rows]
    assert updated == sorted(updated, reverse=True)


@pytest.mark.parametrize(
    "values",
    [
        {"fields": "Id,Nonsense"},
        {"orderby": "Nonsense"},
        {"orderby": "Id sideways"},
        {"filter": "Nonsense = 1"},
        {"filter": "Id = "},
        {"filter": "Id = 1 or"},
        {"filter": "Name = 'open"},
        {"filter": "Id = 'text'"},
        {"filter": "Updated > 5"},
        {"skip": "x"},
    ],
)
def test_what_cannot_be_read_is_400_with_errors(reader, values):
    answer = reader.impartner("/Account", **values)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["message"]


def test_filters_work_over_http_with_quotes_doubled(reader):
    number = reader.case("account_apostrophe_name")[0]
    (row,) = reader.records("Account", fields="Name", filter="name = 'O''Clover''s Cloud'")
    assert row == {"id": number, "name": "O'Clover's Cloud"}


def test_leads_with_a_partner_are_filtered_on_the_server(reader):
    wanted = sum(lead.partner_account_id is not None for lead in reader.vendor_state.leads.values())
    data = reader.impartner("/Lead", fields="Id", filter="PartnerAccountId != null").json()["data"]
    assert data["count"] == wanted > 100


def test_lookups_are_listed(reader):
    assert [row["name"] for row in reader.records("LeadStatus", fields="Name")][-1] == "Converted"
    assert {row["name"] for row in reader.records("Region", fields="Id,Name")} >= {"EMEA", "APAC"}


def test_describe_tells_which_fields_may_be_written(reader):
    (entity,) = reader.impartner("/Account/_describe").json()["data"]
    fields = {field["name"]: field for field in entity["fields"]}
    assert set(_PUSHED) <= set(fields)
    assert not any(fields[name]["isReadOnly"] for name in _PUSHED)
    assert all(fields[name]["isReadOnly"] for name in ("Id", "Account_Status__cf", "Account_Owner__cf"))
    counts = [name for name in _PUSHED if name.endswith("Certifications__cf") or name == "Total_NPCU__cf"]
    assert {fields[name]["dataType"] for name in counts} == {"Double"}


def test_a_count_is_taken_as_a_whole_number_and_shown_as_a_double(caller):
    number = caller.case("crm_id_18_characters")
    assert caller.impartner("/Account", "PATCH", json=[{"Id": number, "Total_NPCU__cf": 7}]).json()["success"]
    assert '"total_NPCU__cf":7.0' in caller.impartner(f"/Account/{number}").text.replace(" ", "")


@pytest.mark.parametrize("field", ["Account_Status__cf", "Account_Owner__cf"])
def test_status_and_owner_are_the_crms_own(caller, field):
    number = caller.case("crm_id_18_characters")
    answer = caller.impartner("/Account", "PATCH", json=[{"Id": number, field: "Inactive"}]).json()
    assert "read-only" in answer["results"][0]["errors"][0]["message"]


def test_one_record_by_id_and_404_for_none(reader):
    number = next(iter(reader.vendor_state.accounts))
    assert reader.impartner(f"/Account/{number}").json()["data"]["id"] == number
    assert reader.impartner("/Account/999999").status_code == 404
    assert reader.impartner("/Nonsense").status_code == 404


def test_deleted_records_are_listed_for_their_time(caller):
    account, contact = caller.case("crm_id_15_characters"), caller.case("contact_without_names")
    caller.handle.mutate("delete_account", account=account)
    caller.handle.mutate("clock", advance_seconds=3600)
    caller.handle.mutate("delete_contact", contact=contact)

    def deleted(name, start, end):
        return caller.impartner(f"/{name}/_deleted", fromUtc=start, toUtc=end).json()["data"]

    assert deleted("Account", "2026-03-31T10:00:00", "2026-03-31T12:00:00") == [account]
    assert deleted("Account", "2026-03-31T10:00:01", "2026-03-31T12:00:00") == []
    assert deleted("User", "2026-03-31T10:00:01", "2026-03-31T12:00:00") == [contact]
    assert caller.impartner("/User/_deleted", fromUtc="yesterday").status_code == 400


def test_a_patch_changes_just_the_fields_sent_and_moves_updated(caller):
    number = caller.case("crm_id_18_characters")
    before = caller.impartner(f"/Account/{number}").json()["data"]
    caller.handle.mutate("clock", advance_seconds=60)
    answer = caller.impartner("/Account", "PATCH", json=[{"Id": number, **_PUSHED}])
    assert answer.status_code == 200
    assert answer.json() == {"success": True, "results": [{"success": True, "data": {"id": number}}]}
    after = caller.impartner(f"/Account/{number}").json()["data"]
    pushed = {name[0].lower() + name[1:]: value for name, value in _PUSHED.items()}
    assert after == {**before, **pushed, "updated": "2026-03-31T10:01:00Z"}


def test_results_of_a_patch_come_in_order_and_failures_leave_their_records_alone(caller):
    good, other, rejected = caller.case("crm_id_18_characters"), *caller.case("crm_ids_differ_in_case")
    caller.handle.mutate("reject_account", account=rejected)
    records = [
        {"Id": good, "Total_NPCU__cf": 7},
        {"Id": 999_999, "Total_NPCU__cf": 7},
        {"Id": other, "Nonsense": 1, "Total_NPCU__cf": 7},
        {"Id": other, "Updated": "2026-01-01T00:00:00"},
        {"Id": other, "Total_NPCU__cf": "seven"},
        {"Id": rejected, "Total_NPCU__cf": 7},
        {"Total_NPCU__cf": 7},
        {"Id": other, "lms_group_name__cf": "lower case is the same field"},
    ]
    answer = caller.impartner("/Account", "PATCH", json=records)
    assert answer.status_code == 200
    document = answer.json()
    assert document["success"] is False
    assert [result["success"] for result in document["results"]] == [True, *[False] * 6, True]
    assert all(result["errors"][0]["message"] for result in document["results"][1:7])
    assert caller.vendor_state.accounts[other].total_npcu is None
    assert caller.vendor_state.accounts[good].total_npcu == 7


def test_accounts_that_always_reject_can_be_set_from_the_start():
    with running_sandbox(settings(rejecting_accounts=(1001,))) as handle:
        answer = Caller(handle).impartner("/Account", "PATCH", json=[{"Id": 1001, "Total_NPCU__cf": 1}])
        assert "validation" in answer.json()["results"][0]["errors"][0]["message"]


@pytest.mark.parametrize("body", [{"Id": 1}, [1], [{"Id": 1001}] * 101])
def test_a_patch_that_is_no_list_of_records_is_400(caller, body):
    assert caller.impartner("/Account", "PATCH", json=body).status_code == 400


def test_other_objects_may_not_be_written(caller):
    assert caller.impartner("/User", "PATCH", json=[{"Id": 50_001, "Title": "x"}]).status_code == 403


def test_the_sandbox_counts_what_was_patched(caller):
    caller.impartner("/Account", "PATCH", json=[{"Id": 1001, "Total_NPCU__cf": 1}, {"Id": 1002, "Total_NPCU__cf": 1}])
    stats = caller.control("/stats")
    assert (stats["patch_records"], stats["patch_fields"]) == (2, {"Total_NPCU__cf": 2})
