"""Whatever the vendors send, a reader answers; and what it says may be logged and stored anywhere."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lms_assets.domain.records.contacts import contact_from_user
from lms_assets.domain.records.courses import course_from_record, course_properties_from_record, parse_npcu
from lms_assets.domain.records.groups import group_from_record, member_of
from lms_assets.domain.records.partners import partner_from_account
from lms_assets.domain.records.transcripts import enrollment_from_transcript
from lms_assets.domain.records.users import user_from_person
from lms_assets.domain.records.values import Rejected
from lms_assets_tests.domain.records import (
    JSON,
    RULES,
    account,
    crm_user,
    group,
    person,
    transcript,
    with_fields_replaced,
)

FULL_ACCOUNT = account(
    Account_Owner__cf="Avery", Account_Owner_Email__cf="avery@example.org", Partner_Type__cf="Reseller",
    Website="https://larch.example", CrmId="0015000000abcDEAAA", MailingCountry="Spain", RegionId=1,
    ParentAccountId=2, PrimaryUserId=3, IsActive=True,
)  # fmt: skip
FULL_USER = crm_user(
    FirstName="Ann", LastName="Birch", Title="CTO", Phone="1", AccountName="Larch", Contact_Status__cf="Active",
    Updated="2026-01-31T02:00:00",
)  # fmt: skip
MEMBERSHIP = {"id": "m", "relationships": {"person": {"data": {"id": "p-1", "type": "people"}}}}
PROPERTIES = {"id": "c-1", "attributes": {"properties": {"name": "K2", "npcu": "2"}}}


def read_transcript(record):
    return enrollment_from_transcript(record, "p", {"c-1"})


READERS = [
    (FULL_ACCOUNT, lambda record: partner_from_account(record, RULES, {1: "EMEA"})),
    (FULL_USER, lambda record: contact_from_user(record, RULES)),
    (person(first_name="Ann", last_active_at="2026-01-31T02:00:00Z"), user_from_person),
    (group("Larch", description="x"), lambda record: group_from_record(record, RULES)),
    (MEMBERSHIP, member_of),
    ({"id": "c-1", "attributes": {"name": "K2", "status": "live"}}, course_from_record),
    (PROPERTIES, course_properties_from_record),
    (
        transcript(expiry_date=None, score="93.5", progress=100),
        lambda record: enrollment_from_transcript(record, "p", {"c-1"}),
    ),
]


@pytest.mark.parametrize(("record", "read"), READERS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_reader_answers_any_record_with_a_row_that_can_be_stored_or_a_reason(record, read, data):
    answer = read(data.draw(with_fields_replaced(record) | JSON))
    texts = []
    if isinstance(answer, Rejected):
        assert answer.reason
        assert 1 <= len(answer.entity_id) <= 100
        texts = [answer.entity_id, answer.reason]
    elif isinstance(answer, str):
        texts = [answer]
    elif answer is not None:
        texts = [value for value in dataclasses.asdict(answer).values() if isinstance(value, str)]
    for text in texts:
        text.encode("utf-8")
        assert "\x00" not in text
        assert text == text.strip()


@pytest.mark.parametrize(("record", "read"), READERS)
def test_the_whole_record_is_read_without_a_reason_against_it(record, read):
    answer = read(record)
    assert answer is not None
    assert not isinstance(answer, Rejected)


@pytest.mark.parametrize(("record", "read"), READERS)
@pytest.mark.parametrize("broken", [None, [], 1, "x", {}, True, float("nan")])
def test_a_record_that_is_no_object_or_empty_is_bad_under_the_same_label_each_time(record, read, broken):
    answer = read(broken)
    assert isinstance(answer, Rejected)
    assert answer.kind == "bad"
    assert answer == read(broken)


@settings(max_examples=200)
@given(JSON)
def test_any_npcu_value_counts_0_1_or_2_and_says_what_is_wrong_with_others(value):
    npcu = parse_npcu(value)
    assert npcu.value in (0, 1, 2)
    if npcu.value == 0 and npcu.problem is None:
        assert value is None or value == 0 or (isinstance(value, str) and value.strip() in ("", "0"))
    (npcu.problem or "").encode("utf-8")


def test_a_reason_never_repeats_what_a_person_is_called():
    secret = "ann.birch.secret@larch.example"
    for record, read in READERS:
        broken = record | {"attributes": {"email": [secret], "name": [secret], "progress_status": secret}}
        for answer in (read(broken), read(record | {"Email": [secret], "Id": None, "id": None})):
            if isinstance(answer, Rejected):
                assert "secret" not in answer.reason
                assert "secret" not in answer.entity_id
