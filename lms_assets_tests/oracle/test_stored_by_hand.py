"""Comparing stored rows with the oracle finds what differs, and only that."""

from __future__ import annotations

from datetime import UTC, datetime

from lms_assets_tests import oracle
from lms_assets_tests.oracle import table_differences
from lms_assets_tests.oracle.tiny import account, contact, course, group, person, transcript, vendor_state

STATE = vendor_state(
    accounts=[account(1), account(2, "Moorland")],
    users=[contact(11, "ada@fern.example.com", account_id=1)],
    groups=[group("g")],
    people=[person("ada", "ada@fern.example.com"), person("bo", disabled=True)],
    memberships=[("g", "ada"), ("g", "bo")],
    course_properties=[course("k2", "K2 Five", 2)],
    transcripts=[transcript("ada", "k2")],
)
EXPECTED = oracle.expected(STATE, datetime(2026, 6, 1, tzinfo=UTC))


def row(number, k2=0, npcu=0, **values):
    counts = {"cert_count_nintex_ce": 0, "cert_count_nintex_k2": k2, "cert_count_nintex_salesforce": 0}
    counts |= {"cert_count_go_to_market": 0, "total_npcu": npcu, "has_gtm_certification": 0}
    return {"impartner_id": number, "is_active": 1} | counts | values


def test_right_rows_differ_in_nothing():
    assert table_differences.differences_in_partners([row(1, 1, 2), row(2), row(3, is_active=0)], EXPECTED) == []


def test_each_wrong_missing_or_surplus_row_is_named():
    found = table_differences.differences_in_partners([row(1, 1, 1), row(3)], EXPECTED)
    assert found == [
        "partner 2 is missing or inactive",
        "partner 3 is active and should not be",
        "partner 1: total_npcu is 1, not 2",
    ]
    assert table_differences.differences_in_partners([row(1, 1, 2), row(2, total_npcu=None)], EXPECTED) != []


def test_records_that_stay_or_went_wrongly_are_named():
    tables = {
        "contacts": [{"impartner_id": 11, "is_active": 1}],
        "lms_users": [{"id": "ada", "status": "active"}, {"id": "bo", "status": "deactivated"}],
        "lms_groups": [{"id": "g", "is_active": 1}],
        "lms_group_members": [{"group_id": "g", "user_id": "ada"}, {"group_id": "g", "user_id": "bo"}],
    }
    assert table_differences.differences_in_records(tables, oracle.kept(STATE)) == []
    tables["lms_users"][1]["status"] = "deleted"
    tables["lms_group_members"].pop()
    found = table_differences.differences_in_records(tables, oracle.kept(STATE))
    assert [line.partition(":")[0] for line in found] == ["disabled users", "memberships"]


def test_the_crm_is_right_when_every_count_arrived():
    zeros = {"nintex_ce_certifications": 0, "nintex_for_salesforce_certifications": 0, "nintex_gtm_certifications": 0}
    accounts = [
        {"id": 1, "nintex_k2_certifications": 1, "total_npcu": 2} | zeros,
        {"id": 2, "nintex_k2_certifications": None, "total_npcu": 0} | zeros,
    ]
    assert table_differences.differences_in_crm(accounts, EXPECTED) == [
        "account 2: nintex_k2_certifications is None, not 0"
    ]
