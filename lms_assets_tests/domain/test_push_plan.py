from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lms_assets.domain.counting.certifications import PartnerCounts
from lms_assets.domain.counting.push_plan import (
    Mismatch,
    compare_read_back,
    desired_fields,
    in_batches,
    plan_push,
    same_value,
    target_fields,
)
from lms_assets_tests.domain.records import RULES

COUNTS = PartnerCounts(7, {"nintex_k2": 3, "go_to_market": 1, "by_hand": 4}, 9, True, 1)


def desired(group_name="ptr_Larch", portal_url=None):
    return desired_fields(COUNTS, partner_id=7, group_name=group_name, portal_url=portal_url, rules=RULES)


def test_only_counts_group_name_and_dashboard_link_are_ever_pushed():
    assert desired(portal_url="https://portal.example/app/") == {
        "Nintex_CE_Certifications__cf": 0,
        "Nintex_K2_Certifications__cf": 3,
        "Nintex_for_Salesforce_Certifications__cf": 0,
        "Nintex_GTM_Certifications__cf": 1,
        "Total_NPCU__cf": 9,
        "LMS_Group_Name__cf": "ptr_Larch",
        "LMS_Training_Dashboard__cf": "https://portal.example/app/partners/7/training",
    }
    assert set(desired(portal_url="https://portal.example")) == set(target_fields(RULES, "https://portal.example"))


def test_without_a_portal_the_link_is_left_alone():
    assert "LMS_Training_Dashboard__cf" not in desired()
    assert set(desired()) == set(target_fields(RULES, None))


@pytest.mark.parametrize(
    "url",
    ["http://portal.example", "javascript:alert(1)", "portal.example", "https://", "https://a:b@portal.example",
     "https://portal.example/?x=1", "https://portal.example/#x"],
)  # fmt: skip
def test_a_portal_url_that_is_no_plain_https_address_is_refused(url):
    with pytest.raises(ValueError, match="LMS_PORTAL_URL"):
        desired(portal_url=url)


def test_a_portal_on_loopback_may_be_plain_http():
    assert desired(portal_url="http://127.0.0.1:8080")["LMS_Training_Dashboard__cf"] == (
        "http://127.0.0.1:8080/partners/7/training"
    )


def test_the_first_push_sends_everything_and_the_next_one_only_what_differs():
    first = plan_push({42: desired()}, {})
    assert first[0].fields == desired()
    changed = desired() | {"Total_NPCU__cf": 10}
    second = plan_push({42: changed}, {42: desired()})
    assert [(item.impartner_id, item.fields) for item in second] == [(42, {"Total_NPCU__cf": 10})]
    assert second[0].changes == {"Total_NPCU__cf": (9, 10)}


def test_nothing_changed_sends_nothing_also_when_the_memory_holds_text():
    confirmed = {42: {field: str(value) for field, value in desired().items()}}
    assert plan_push({42: desired()}, confirmed) == ()


def test_a_blank_group_name_never_overwrites_what_nobody_here_has_written():
    assert "LMS_Group_Name__cf" not in plan_push({42: desired(None)}, {})[0].fields
    known = {42: desired()}
    assert plan_push({42: desired(None)}, known)[0].fields == {"LMS_Group_Name__cf": ""}


def test_a_count_of_0_is_sent_the_first_time():
    assert plan_push({42: desired()}, {})[0].fields["Nintex_CE_Certifications__cf"] == 0


@given(st.lists(st.integers(), max_size=130), st.integers(1, 60))
def test_batches_hold_everything_in_order_and_never_too_much(items, size):
    batches = list(in_batches(items, size))
    assert [item for batch in batches for item in batch] == items
    assert all(1 <= len(batch) <= size for batch in batches)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (3, "3", True), (3, 3.0, True), ("3.0", 3, True), ("a", " a ", True), (None, "", True), ("", "  ", True),
        (0, None, False), (0, "", False), (3, 4, False), (1, True, False), ("a", "A", False), (float("nan"), 1, False),
        ("nan", "nan", True), ([], 3, False), ("007", "7", False), ("1e2", "100", False), ("7", "7", True),
    ],
)  # fmt: skip
def test_values_are_compared_as_the_crm_means_them(one, other, same):
    assert same_value(one, other) is same
    assert same_value(other, one) is same


@given(st.integers(0, 10**6))
def test_a_count_equals_itself_in_every_spelling(value):
    assert same_value(value, str(value))
    assert same_value(value, float(value))
    assert not same_value(value, value + 1)


def test_a_group_renamed_to_another_number_with_the_same_value_is_sent():
    assert plan_push({42: desired("007")}, {42: desired("7")})[0].fields == {"LMS_Group_Name__cf": "007"}


def test_what_reads_back_the_same_is_confirmed_whatever_the_case_of_its_name():
    sent = {42: {"Total_NPCU__cf": 9, "LMS_Group_Name__cf": "Larch"}}
    assert compare_read_back(sent, {42: {"total_NPCU__cf": "9", "lMS_Group_Name__cf": "Larch"}}) == ()


def test_what_reads_back_otherwise_or_not_at_all_is_named():
    sent = {42: {"Total_NPCU__cf": 9}, 43: {"Total_NPCU__cf": 1}, 44: {"LMS_Group_Name__cf": ""}}
    assert compare_read_back(sent, {42: {"Total_NPCU__cf": 8}, 44: {}}) == (
        Mismatch(42, "Total_NPCU__cf", 9, 8),
        Mismatch(43, "Total_NPCU__cf", 1, None),
    )
