"""Records of the vendors at the exact limits of their columns: over-long is cut, or bad where half would mislead."""

from __future__ import annotations

import re

import pytest

from lms_assets.domain.records.contacts import contact_from_user
from lms_assets.domain.records.courses import course_from_record, course_properties_from_record, parse_npcu
from lms_assets.domain.records.leads import lead_from_record
from lms_assets.domain.records.partners import partner_from_account
from lms_assets.domain.records.transcripts import enrollment_from_transcript
from lms_assets.domain.records.users import user_from_person
from lms_assets.domain.records.values import Rejected, fingerprint, label_of
from lms_assets_tests.domain.records import RULES, account, crm_user, person, transcript

LONG = "x" * 70_000


def partner(**fields):
    return partner_from_account(account(**fields), RULES, {1: LONG})


def contact(**fields):
    return contact_from_user(crm_user(**fields), RULES)


def lead(**fields):
    return lead_from_record({"Id": 5, "PartnerAccountId": 7} | fields, {}).lead


def test_texts_that_decide_nothing_are_cut_to_their_columns():
    course = course_from_record({"id": "c", "attributes": {"status": LONG, "full_description": LONG}})
    texts = [
        partner(MailingCountry=LONG).country,
        partner(Partner_Type__cf=LONG).partner_type,
        partner(Website=LONG).website,
        partner(RegionId=1).account_region,
        contact(Phone=LONG).phone,
        contact(Title=LONG).title,
        lead(Phone=LONG).phone,
        lead(CrmId=LONG).crm_id,
        lead(Description=LONG).description,
        course.status,
        course.description,
    ]
    assert [len(text) for text in texts] == [100, 100, 500, 100, 100, 255, 100, 50, 15_000, 50, 60_000]


@pytest.mark.parametrize(
    ("read", "field", "limit"),
    [
        (partner, "Name", 255),
        (partner, "Account_Status__cf", 50),
        (contact, "Contact_Status__cf", 1000),
    ],
)
def test_a_text_that_decides_is_taken_up_to_its_limit_and_else_makes_the_record_bad(read, field, limit):
    assert not isinstance(read(**{field: "x" * limit}), Rejected)
    assert read(**{field: "x" * (limit + 1)}).kind == "bad"


@pytest.mark.parametrize(
    ("read", "field", "limit", "reason"),
    [
        (partner, "Partner_Tier__cf", 50, "tier is blank or not among those kept"),
        (contact, "Email", 1000, "no valid e-mail"),
    ],
)
def test_a_text_that_leaves_a_record_out_is_bad_when_it_is_too_long_to_tell(read, field, limit, reason):
    assert read(**{field: "x" * limit}).reason == reason
    assert read(**{field: "x" * (limit + 1)}).kind == "bad"


def test_an_e_mail_of_an_lms_account_is_read_up_to_1000_characters():
    assert not isinstance(user_from_person(person(email="x" * 1000)), Rejected)
    assert user_from_person(person(email="x" * 1001)).kind == "bad"


def test_a_salesforce_id_has_up_to_50_characters():
    assert partner(CrmId="0" * 50).salesforce_id == "0" * 50


@pytest.mark.parametrize(
    ("read", "fields", "reason"),
    [
        (partner, {"Name": ""}, "no name"),
        (partner, {"Name": "Nintex"}, "the name contains the vendor's own"),
        (partner, {"Account_Status__cf": "Inactive"}, "account status is excluded"),
        (contact, {"Email": "ann"}, "no valid e-mail"),
        (contact, {"IsActive": False}, "inactive in the CRM"),
        (contact, {"Contact_Status__cf": "Inactive"}, "contact status is excluded"),
        (contact, {"Email": "ann@bill.com"}, "e-mail domain is excluded"),
        (contact, {"Email": "sales@larch.example"}, "a word of the e-mail's local part is excluded"),
    ],
)
def test_what_is_left_out_says_why(read, fields, reason):
    answer = read(**fields)
    assert (answer.kind, answer.reason) == ("excluded", reason)


def kept_properties(properties):
    return course_properties_from_record({"id": "c", "attributes": {"properties": properties}}).property_data


def test_properties_are_kept_four_levels_deep_as_objects_and_as_lists():
    deep = {"a": {"b": {"c": {"d": 1, "e": {"f": 2}, "g": [3]}}}}
    assert kept_properties(deep) == {"a": {"b": {"c": {"d": 1, "e": None, "g": None}}}}
    assert kept_properties({"a": [[[1, [2], {"b": 3}]]]}) == {"a": [[[1, None, None]]]}


def test_properties_keep_what_json_and_the_database_take():
    given = {"none": None, "yes": True, "no": False, "x" * 101: "long", "large": 2**53 - 1, "larger": 2**53}
    kept = {"none": None, "yes": True, "no": False, "x" * 100: "long", "large": 2**53 - 1, "larger": None}
    assert kept_properties(given) == kept
    assert kept_properties({"small": 1 - 2**53, "smaller": -(2**53)}) == {"small": 1 - 2**53, "smaller": None}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (5_000, "5000"), (-7, "-7"), (1.5, "1.5"), (10**300 - 1, "1e+300"), (10**300, "a huge number"),
        (10**310, "a huge number"), (-(10**310), "a huge number"),
    ],
)  # fmt: skip
def test_points_that_are_none_are_shown_as_a_number_of_any_size(value, shown):
    assert parse_npcu(value).problem == f"{shown} is not 0, 1 or 2"


def enrollment(**attributes):
    return enrollment_from_transcript(transcript(**attributes), "p-1", {"c-1"})


@pytest.mark.parametrize(
    ("progress", "percent"), [(1_000_000, 100), (1_000_001, None), (-1_000_000, 0), (-1_000_001, None)]
)
def test_a_progress_beyond_a_million_is_no_progress(progress, percent):
    assert enrollment(progress=progress).progress_percent == percent


@pytest.mark.parametrize(("score", "fits"), [(999.99, True), (1000, False), (-999.99, True), (-1000, False)])
def test_a_score_fits_its_column_or_is_nothing(score, fits):
    assert (enrollment(score=score).score is not None) is fits


def test_a_record_without_an_id_has_one_fingerprint_in_any_order_of_its_fields():
    one, other = fingerprint({"a": 1, "b": 2}), fingerprint({"b": 2, "a": 1})
    assert one == other != fingerprint({"a": 2, "b": 1})
    assert re.fullmatch(r"no-id-[0-9a-f]{12}", one)


def test_a_long_id_is_its_first_80_characters_and_twelve_digits():
    assert re.fullmatch(r"a{80}-[0-9a-f]{12}", label_of({"id": "a" * 101}, "id"))
