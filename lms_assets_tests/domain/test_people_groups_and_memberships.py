from __future__ import annotations

import pytest

from lms_assets.domain.records.groups import LmsGroup, group_from_record, member_of
from lms_assets.domain.records.users import user_from_person
from lms_assets.domain.records.values import Rejected
from lms_assets_tests.domain.records import RULES, group, person, utc


def test_a_person_becomes_an_active_account_with_its_email_in_lower_case():
    user = user_from_person(person(email=" Ann@LARCH.example ", first_name="Ann", created_at="2020-01-01T00:00:00Z"))
    assert (user.id, user.email, user.first_name, user.status, user.is_active) == (
        "p-1", "ann@larch.example", "Ann", "active", True,
    )  # fmt: skip
    assert user.created_at_lms == utc(2020, 1, 1)


@pytest.mark.parametrize("deactivated_at", [None, "2025-01-01T00:00:00Z", "nonsense"])
@pytest.mark.parametrize("disabled", [True, "true", 1])
def test_disabled_at_the_source_is_not_active_with_or_without_a_date(disabled, deactivated_at):
    user = user_from_person(person(disabled=disabled, deactivated_at=deactivated_at))
    assert (user.is_active, user.status) == (False, "deactivated")
    assert user.deactivation_reason


def test_somebody_enabled_again_is_active_although_an_old_date_is_left():
    user = user_from_person(person(disabled=False, deactivated_at="2025-01-01T00:00:00Z"))
    assert (user.is_active, user.deactivated_at, user.deactivation_reason) == (True, None, None)


def test_where_disabled_is_missing_a_date_of_deactivation_says_it():
    assert not user_from_person(person(disabled=None, deactivated_at="2025-01-01T00:00:00Z")).is_active
    assert user_from_person(person(disabled=None)).is_active


@pytest.mark.parametrize("email", [None, "", "  "])
def test_an_account_without_email_is_kept(email):
    assert user_from_person(person(email=email)).email is None


def test_an_account_with_an_invalid_email_is_kept_with_it():
    assert user_from_person(person(email="Not An Address")).email == "not an address"


@pytest.mark.parametrize(
    "record",
    [
        person(None), person(""), person(" a b "), person("x" * 101), person(True), person(1.5), person(["p"]),
        person(email=5), person(disabled="perhaps"), person(disabled=[]), {"id": "p", "attributes": None}, {"id": "p"},
    ],
)  # fmt: skip
def test_a_person_without_id_or_with_unreadable_deciding_fields_is_bad(record):
    answer = user_from_person(record)
    assert isinstance(answer, Rejected)
    assert answer.kind == "bad"


def test_compound_ids_longer_than_50_characters_are_ids():
    compound = "0f8fad5b-d9cb-469f-a165-70867728950e:7c9e6679-7425-40de-944b-e07fc1f90ae7"
    assert user_from_person(person(compound)).id == compound


def test_a_group_is_kept_with_its_name_and_count():
    assert group_from_record(group(" ptr_Larch "), RULES) == LmsGroup("g-1", "ptr_Larch", None, 3)


@pytest.mark.parametrize("name", ["All Partners", " all  partners ", "ALL PARTNERS"])
def test_all_partners_is_kept(name):
    assert isinstance(group_from_record(group(name), RULES), LmsGroup)


@pytest.mark.parametrize(
    "name",
    ["All Users", "ALL USERS", "Admin", "LMS Admin Team", "internal-training", "ptr_Test", "Test: Larch", "(test)"],
)
def test_groups_that_are_not_partners_are_left_out(name):
    assert group_from_record(group(name), RULES).kind == "excluded"


@pytest.mark.parametrize("name", ["Contest Partners", "Administrata", "Internally", "Testify Ltd", "All Users Ltd"])
def test_a_group_whose_name_only_contains_such_a_word_stays(name):
    assert isinstance(group_from_record(group(name), RULES), LmsGroup)


@pytest.mark.parametrize("name", [None, "", 5, [], "x" * 256])
def test_a_group_without_a_readable_name_is_bad(name):
    assert group_from_record(group(name), RULES).kind == "bad"


@pytest.mark.parametrize("count", ["many", -1, None, [], True, 2.5])
def test_an_unreadable_user_count_is_no_evidence_and_no_harm(count):
    assert group_from_record(group("Larch", user_count=count), RULES).user_count is None


def test_a_member_is_the_related_person_and_never_the_memberships_own_id():
    record = {"id": "membership-1", "relationships": {"person": {"data": {"type": "people", "id": "p-1"}}}}
    assert member_of(record) == "p-1"
    for broken in ({}, {"person": None}, {"person": {"data": None}}, {"person": {"data": {"id": None}}}, []):
        answer = member_of({"id": "membership-1", "relationships": broken})
        assert isinstance(answer, Rejected)
        assert (answer.kind, answer.entity_id) == ("bad", "membership-1")
