"""Categories and points follow the source, and what somebody set by hand stays."""

from __future__ import annotations

import pytest

from lms_assets_tests.assets.queries import row_of, sample_of
from lms_assets_tests.harness.agreement import differences
from lms_assets_tests.harness.chain import ChainHarness

pytestmark = pytest.mark.slow


def held(harness: ChainHarness) -> str:
    """A certification in a category that a partner's person holds, and that both lists know."""
    partners = {row["user_id"] for row in harness.rows("lms_group_members")}
    completed = {
        row["course_id"]
        for row in harness.rows("lms_enrollments")
        if row["completed_at"] and row["user_id"] in partners
    }
    return next(
        row["id"]
        for row in harness.rows("lms_courses")
        if row["id"] in completed
        and row["certification_category"]
        and row["id"] in harness.sandbox.vendor_state.courses
    )


def test_a_course_renamed_away_from_every_pattern_leaves_its_category(synced: ChainHarness) -> None:
    course = held(synced)
    synced.sandbox.mutate("set_course", course=course, fields={"name": "Basics of everything"})
    renamed = synced.run()
    assert renamed.success, renamed.errors
    row = row_of(synced, "lms_courses", id=course)
    assert (row["certification_category"], row["category_origin"]) == (None, "rule")
    assert "certifications_have_a_category" in renamed.red
    assert differences(synced) == []


def test_a_category_follows_the_name_though_the_chain_ends_before_the_points(synced: ChainHarness) -> None:
    course = held(synced)
    synced.sandbox.mutate("set_course", course=course, fields={"name": "Basics of everything"})
    synced.run(assets=("courses",), alone=True)
    assert row_of(synced, "lms_courses", id=course)["certification_category"] is None


def test_a_category_set_by_hand_survives_renames_and_rules(synced: ChainHarness) -> None:
    course = held(synced)
    with synced.warehouse.transaction() as connection:
        connection.exec_driver_sql(f"UPDATE lms_courses SET certification_category = 'mine' WHERE id = '{course}'")
    for name in ("K2 Basics", "Basics of everything"):
        synced.sandbox.mutate("set_course", course=course, fields={"name": name})
        for asset in ("courses", "course_npcu"):
            synced.run(assets=(asset,), alone=True)
        row = row_of(synced, "lms_courses", id=course)
        assert (row["certification_category"], row["category_origin"]) == ("mine", "hand")


def test_a_course_that_leaves_both_lists_loses_its_points_and_that_is_said(synced: ChainHarness) -> None:
    """As a new warehouse would have it, where no list knows the course."""
    course = held(synced)
    before = row_of(synced, "lms_courses", id=course)
    kept = synced.sandbox.vendor_state.courses[course], synced.sandbox.vendor_state.course_properties[course]
    synced.sandbox.mutate("delete_course", course=course)
    result = synced.run()
    assert result.success, result.errors
    assert row_of(synced, "lms_courses", id=course)["npcu_value"] == 0
    assert f"{course}: the list of properties no longer has the course" in sample_of(result, "npcu_is_valid")
    assert differences(synced) == []
    synced.sandbox.vendor_state.courses[course], synced.sandbox.vendor_state.course_properties[course] = kept
    synced.sandbox.vendor_state.touched("courses", "course_properties")
    synced.run(assets=("courses", "course_npcu"))
    assert row_of(synced, "lms_courses", id=course)["npcu_value"] == before["npcu_value"]
    assert row_of(synced, "lms_courses", id=course)["npcu_problem"] is None


@pytest.mark.parametrize("answer", ["there", "forbidden"])
def test_a_course_that_the_list_lacks_twice_and_that_answers_keeps_its_points(
    synced: ChainHarness, answer: str
) -> None:
    course = held(synced)
    points = row_of(synced, "lms_courses", id=course)["npcu_value"]
    properties = synced.sandbox.vendor_state.course_properties
    properties[course].forbidden = answer == "forbidden"
    last = list(properties)[-1]
    properties[course], properties[last] = properties.pop(course), properties.pop(last)
    properties[course] = properties.pop(course)  # the last of the list, which is cut
    synced.sandbox.vendor_state.touched("course_properties")
    synced.sandbox.faults.add("cut_short", "GET /properties/courses", keep=len(properties) - 1)
    synced.run(assets=("course_npcu",))
    assert row_of(synced, "lms_courses", id=course)["npcu_value"] == points
