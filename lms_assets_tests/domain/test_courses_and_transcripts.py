from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lms_assets.domain.records.courses import (
    Category,
    Course,
    categorise,
    course_from_record,
    course_properties_from_record,
    matching_category,
    merge_course,
    parse_npcu,
)
from lms_assets.domain.records.transcripts import enrollment_from_transcript
from lms_assets.domain.records.values import Rejected
from lms_assets.domain.rules import CategoryRule
from lms_assets_tests.domain.records import JSON, RULES, transcript, utc


@pytest.mark.parametrize(
    ("value", "points"), [(0, 0), (1, 1), (2, 2), ("0", 0), ("1", 1), (" 2 ", 2), ("2\n", 2), (1.0, 1), (2.0, 2)]
)
def test_npcu_is_0_1_or_2_as_a_number_or_as_text_that_is_exactly_that_once_trimmed(value, points):
    npcu = parse_npcu(value)
    assert (npcu.value, npcu.problem) == (points, None)


@pytest.mark.parametrize("value", [None, "", "   "])
def test_empty_null_or_missing_npcu_is_0(value):
    assert (parse_npcu(value).value, parse_npcu(value).problem) == (0, None)


@pytest.mark.parametrize(
    "value",
    ["2 points", 1.5, -1, 7, "1.5", "2.0", "02", "+2", "２", "-1", "two", True, False, [], [2], {"npcu": 2},
     float("nan"), float("inf"), 10**400, "1e0", "9" * 5000],
)  # fmt: skip
def test_any_other_npcu_counts_as_0_and_shows(value):
    npcu = parse_npcu(value)
    assert npcu.value == 0
    assert npcu.problem
    assert len(npcu.problem) < 255


def properties(course_id="c-1", **fields):
    return course_properties_from_record({"id": course_id, "attributes": {"properties": fields}})


def test_a_certification_is_a_course_with_npcu_above_0():
    course = Course("c-1", "Intro to K2", None, "live")
    assert merge_course(course, properties(npcu="2")).is_certification
    assert not merge_course(course, properties(npcu=0)).is_certification
    assert not merge_course(course, properties(npcu="2 points")).is_certification
    assert not merge_course(course, None).is_certification


def test_archived_versions_that_only_the_properties_list_knows_count_too():
    row = merge_course(None, properties("old", name="K2 Basics", npcu=1))
    assert (row.id, row.name, row.status, row.npcu_value) == ("old", "K2 Basics", "archived", 1)
    assert row.is_certification


def test_a_course_without_any_name_is_called_by_its_id():
    assert merge_course(None, properties("old", npcu=1)).name == "old"


def test_merging_what_no_list_knows_or_two_courses_is_refused():
    with pytest.raises(ValueError):
        merge_course(None, None)
    with pytest.raises(ValueError):
        merge_course(Course("a", None, None, None), properties("b"))


@pytest.mark.parametrize("given", [None, []])
def test_no_properties_are_0_points(given):
    answer = course_properties_from_record({"id": "c", "attributes": {"properties": given}})
    assert (answer.npcu.value, answer.npcu.problem) == (0, None)


@pytest.mark.parametrize("given", ["x", 5, [1], True])
def test_properties_that_are_no_object_say_nothing(given):
    assert course_properties_from_record({"id": "c", "attributes": {"properties": given}}).kind == "bad"


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=5))
def test_property_data_can_be_stored_as_json_whatever_it_was(fields):
    kept = course_properties_from_record({"id": "c", "attributes": {"properties": fields}}).property_data
    json.dumps(kept, allow_nan=False, ensure_ascii=False).encode("utf-8")


def test_a_course_keeps_its_place_although_its_texts_are_broken():
    course = course_from_record({"id": "c", "attributes": {"name": 3.5, "full_description": [], "status": None}})
    assert course == Course("c", None, None, None)
    assert course_from_record({"id": None, "attributes": {}}).kind == "bad"


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("K2 for Salesforce", "nintex_k2"),
        ("nintex k2 five", "nintex_k2"),
        ("Salesforce GTM", "nintex_salesforce"),
        ("Go to Market with RPA", "go_to_market"),
        ("gtm", "go_to_market"),
        ("Sales Professional", "go_to_market"),
        ("Sales Enablement 2", "go_to_market"),
        ("Automation Cloud", "nintex_ce"),
        ("Apps for Office 365", "nintex_ce"),
        ("ESIGN Basics", "nintex_ce"),
        ("Process Discovery", "nintex_ce"),
        ("Something else", None),
        ("", None),
        (None, None),
    ],
)
def test_the_category_is_that_of_the_highest_priority_pattern_contained_in_the_name(name, category):
    assert matching_category(name, RULES.category_rules) == category


@pytest.mark.parametrize(
    ("name", "stored", "expected"),
    [
        # By a rule: follows it, and does not outlive its match.
        ("K2 Basics", Category(), Category("nintex_k2", "rule", "nintex_k2")),
        ("RPA", Category("nintex_k2", "rule", "nintex_k2"), Category("nintex_ce", "rule", "nintex_ce")),
        ("Something else", Category("nintex_k2", "rule", "nintex_k2"), Category(None, "rule", None)),
        ("Something else", Category(None, "rule", None), Category(None, "rule", None)),
        # By hand: stays, whatever the rules say, and though it happens to agree with them once.
        ("K2 Basics", Category("mine", "hand", None), Category("mine", "hand", "nintex_k2")),
        ("K2 Basics", Category("nintex_k2", "hand", None), Category("nintex_k2", "hand", "nintex_k2")),
        ("Something else", Category("mine", "hand", "nintex_k2"), Category("mine", "hand", None)),
        # Edited in the table since the last sync, also to nothing.
        ("K2 Basics", Category("mine", "rule", "nintex_k2"), Category("mine", "hand", "nintex_k2")),
        ("K2 Basics", Category(None, "rule", "nintex_k2"), Category(None, "hand", "nintex_k2")),
        # Adopted: nobody knows. A rule that matches wins; what no rule contradicts was set by hand.
        ("K2 Basics", Category("mine"), Category("nintex_k2", "rule", "nintex_k2")),
        ("Something else", Category("mine"), Category("mine", "hand", None)),
        ("Something else", Category("mine", "unknown"), Category("mine", "hand", None)),
    ],
)
def test_a_category_follows_the_rules_or_was_set_by_hand_and_stays(name, stored, expected):
    assert categorise(name, RULES.category_rules, stored) == expected
    assert categorise(name, RULES.category_rules, expected) == expected


@given(st.permutations([CategoryRule("a", "soft", 5), CategoryRule("b", "software", 5), CategoryRule("c", "", 9)]))
def test_rules_of_one_priority_decide_alike_in_any_order_and_blanks_match_nothing(rules):
    assert matching_category("Software", rules) == "b"


def read(**attributes):
    return enrollment_from_transcript(transcript(**attributes), "p-1", {"c-1"})


def test_a_transcript_of_a_course_becomes_an_enrollment_of_the_person():
    row = read(progress=99.9, score="93.456", started_at="2026-01-01T00:00:00Z", expires_at="2027-01-31T02:00:00Z")
    assert (row.id, row.user_id, row.course_id, row.status) == ("t-1", "p-1", "c-1", "completed")
    assert (row.progress_percent, row.score) == (99, Decimal("93.46"))
    assert (row.completed_at, row.expires_at) == (utc(2026, 1, 31, 2), utc(2027, 1, 31, 2))


@pytest.mark.parametrize("resource_type", ["learning_path", "event", "Quiz"])
def test_transcripts_of_anything_but_courses_are_passed_over(resource_type):
    assert read(resource_type=resource_type, progress_status=None) is None


def test_a_transcript_of_a_course_that_no_list_knows_is_kept_aside_with_its_reason():
    answer = read(resource_id="c-9")
    assert isinstance(answer, Rejected)
    assert (answer.kind, answer.entity_id) == ("unknown_course", "t-1")
    assert "c-9" in answer.reason


def test_some_tenants_call_the_expiry_expiry_date():
    assert read(expiry_date="2027-01-31T02:00:00Z").expires_at == utc(2027, 1, 31, 2)
    assert read(expires_at="", expiry_date="2027-01-31").expires_at == utc(2027, 1, 31)
    assert read(expires_at="2026-05-01", expiry_date="2027-01-31").expires_at == utc(2026, 5, 1)


@pytest.mark.parametrize(
    "attributes",
    [
        {"completed_at": "2026-02-30"}, {"completed_at": 5}, {"completed_at": "0001-01-01"}, {"expires_at": "never"},
        {"expiry_date": []}, {"progress_status": None}, {"progress_status": "passed"}, {"progress_status": 1},
        {"resource_type": None}, {"resource_type": 7}, {"resource_id": None}, {"resource_id": {}},
    ],
)  # fmt: skip
def test_a_transcript_is_bad_when_what_decides_its_count_cannot_be_read(attributes):
    answer = read(**attributes)
    assert isinstance(answer, Rejected)
    assert answer.kind == "bad"


@pytest.mark.parametrize("status", ["Completed", " completed ", "COMPLETED"])
def test_the_status_is_compared_ignoring_case_and_blanks(status):
    assert read(progress_status=status).status == "completed"
    assert read(progress_status="In Progress").status == "in_progress"


@pytest.mark.parametrize(
    ("progress", "percent"),
    [(100, 100), ("50", 50), (150, 100), (-3, 0), (None, None), ("x", None), (True, None), ([], None)],
)
def test_progress_is_a_whole_percentage_or_nothing(progress, percent):
    assert read(progress=progress).progress_percent == percent


@pytest.mark.parametrize("score", [None, "", "n/a", 1000, float("nan"), 10**30, True, {}])
def test_a_score_that_does_not_fit_is_nothing(score):
    assert read(score=score).score is None
