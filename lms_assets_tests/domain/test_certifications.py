from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lms_assets.domain.counting.certifications import (
    ContactFacts,
    CourseFacts,
    GroupFacts,
    PersonFacts,
    Verdict,
    assess,
    count,
    expiry_of,
    held_period,
    is_held,
    partner_users,
    people_of_several_partners,
)
from lms_assets_tests.domain.records import enrollment, utc

AT = utc(2026, 3, 1)
SECOND = timedelta(seconds=1)
COURSES = {
    "c-1": CourseFacts("c-1", "K2 Basics", 2, "nintex_k2"),
    "c-2": CourseFacts("c-2", "Go to Market", 1, "go_to_market"),
    "c-3": CourseFacts("c-3", "Odd one", 1, None),
    "c-0": CourseFacts("c-0", "Welcome", 0, "nintex_k2"),
}
ACTIVE = PersonFacts(is_active=True)


def users(partners=None, people=None, groups=(), members=(), contacts=()):
    return partner_users(partners or {1: True}, people or {"p-1": ACTIVE}, groups, members, contacts)


IN_GROUP = users(groups=[GroupFacts("g", 1)], members=[("g", "p-1")])


def items(enrollments, at=AT, affiliations=IN_GROUP, courses=COURSES):
    return list(assess(affiliations, enrollments, courses, at=at))


def counts(enrollments, at=AT, affiliations=IN_GROUP, partner_ids=(1,)):
    return count(assess(affiliations, enrollments, COURSES, at=at), partner_ids)


def test_a_certification_is_held_from_the_instant_of_completion():
    row = enrollment(completed_at=AT)
    assert is_held(row, AT)
    assert not is_held(row, AT - SECOND)


def test_at_the_instant_of_expiry_it_no_longer_counts():
    row = enrollment(expires_at=AT)
    assert is_held(row, AT - SECOND)
    assert not is_held(row, AT)


def test_without_expires_at_it_lasts_24_calendar_months_from_completion():
    row = enrollment(completed_at=utc(2024, 2, 29, 12))
    assert expiry_of(row) == utc(2026, 2, 28, 12)
    assert is_held(row, utc(2026, 2, 28, 11, 59, 59))
    assert not is_held(row, utc(2026, 2, 28, 12))
    assert is_held(row, utc(2025, 2, 28, 11), months=12)
    assert not is_held(row, utc(2025, 2, 28, 12), months=12)


def test_an_expiry_beyond_24_months_is_taken_as_it_is():
    assert is_held(enrollment(completed_at=utc(2020, 1, 1), expires_at=utc(2030, 1, 1)), AT)


@pytest.mark.parametrize("status", ["enrolled", "in_progress"])
def test_only_completed_enrollments_are_held(status):
    assert not is_held(enrollment(status=status), AT)


def test_completed_without_a_date_does_not_count():
    row = enrollment(completed_at=None, expires_at=utc(2030, 1, 1))
    assert not is_held(row, AT)
    assert items([row])[0].verdict is Verdict.NO_COMPLETION_DATE


def test_one_person_holds_one_course_once_whatever_the_number_of_attempts():
    attempts = [
        enrollment("a"),
        enrollment("b", completed_at=utc(2025, 6, 1)),
        enrollment("c", completed_at=utc(2023, 1, 1)),
    ]
    found = {item.enrollment_id: item for item in items(attempts)}
    assert {key: item.verdict for key, item in found.items()} == {
        "a": Verdict.SAME_COURSE,
        "b": Verdict.COUNTED,
        "c": Verdict.SAME_COURSE,
    }
    assert "b" in found["a"].reason
    assert counts(attempts)[1].by_category == {"nintex_k2": 1}


def test_two_versions_of_a_course_are_two_courses_unless_they_have_the_same_id():
    assert counts([enrollment("a"), enrollment("b", course_id="c-2")])[1].total_npcu == 3


def test_counts_add_up_by_category_and_points_and_uncategorised_only_in_total():
    rows = [enrollment(course, course_id=course) for course in COURSES]
    found = counts(rows)[1]
    assert found.by_category == {"nintex_k2": 1, "go_to_market": 1}
    assert (found.total_npcu, found.has_gtm_certification, found.uncategorised) == (4, True, 1)
    assert not counts([enrollment()])[1].has_gtm_certification


def test_a_partner_that_holds_nothing_is_there_with_zeros():
    found = counts([], partner_ids=(1, 2))
    assert (found[2].total_npcu, dict(found[2].by_category), found[2].has_gtm_certification) == (0, {}, False)


def test_somebody_in_two_groups_and_a_contact_of_one_partner_counts_once_there():
    affiliations = users(
        groups=[GroupFacts("g", 1), GroupFacts("h", 1)],
        members=[("g", "p-1"), ("h", "p-1"), ("g", "p-1")],
        contacts=[ContactFacts(5, 1, "p-1")],
    )
    assert [(each.partner_id, each.user_id) for each in affiliations] == [(1, "p-1")]
    assert affiliations[0].via == (("contact", "5"), ("group", "g"), ("group", "h"))
    assert counts([enrollment()], affiliations=affiliations)[1].total_npcu == 2


def test_somebody_who_belongs_to_two_partners_counts_for_both_and_is_reported():
    affiliations = users(
        partners={1: True, 2: True},
        groups=[GroupFacts("g", 1)],
        members=[("g", "p-1")],
        contacts=[ContactFacts(5, 2, "p-1")],
    )
    found = counts([enrollment()], affiliations=affiliations)
    assert (found[1].total_npcu, found[2].total_npcu) == (2, 2)
    assert people_of_several_partners(affiliations) == {"p-1": (1, 2)}
    assert people_of_several_partners(affiliations[:1]) == {}


def test_people_linked_only_by_a_contact_count():
    assert counts([enrollment()], affiliations=users(contacts=[ContactFacts(5, 1, "p-1")]))[1].total_npcu == 2


@pytest.mark.parametrize(
    ("facts", "obstacle"),
    [
        ({"people": {"p-1": PersonFacts(is_active=False, status="deactivated")}}, "person is disabled"),
        ({"people": {"p-1": PersonFacts(is_active=False)}}, "person is disabled"),
        ({"people": {"p-1": PersonFacts(is_active=True, status="deactivated")}}, "person is disabled"),
        ({"people": {"p-1": PersonFacts(is_active=False, status="deleted")}}, "person is gone from the LMS"),
        ({"people": {"other": ACTIVE}}, "person is not among the LMS users"),
        ({"partners": {1: False}}, "partner is inactive"),
        ({"partners": {2: True}}, "partner is unknown"),
        ({"groups": [GroupFacts("g", 1, is_active=False)]}, "group g is inactive"),
        ({"groups": [], "contacts": [ContactFacts(5, 1, "p-1", is_active=False)]}, "contact 5 is inactive"),
    ],
)
def test_people_who_are_no_partner_users_do_not_count_and_the_reason_says_why(facts, obstacle):
    affiliations = users(**({"groups": [GroupFacts("g", 1)], "members": [("g", "p-1")]} | facts))
    assert [each.obstacle for each in affiliations] == [obstacle]
    item = items([enrollment()], affiliations=affiliations)[0]
    assert (item.counted, item.reason) == (False, obstacle)
    assert counts([enrollment()], affiliations=affiliations)[1].total_npcu == 0


def test_one_open_way_is_enough():
    affiliations = users(
        groups=[GroupFacts("g", 1, is_active=False)], members=[("g", "p-1")], contacts=[ContactFacts(5, 1, "p-1")]
    )
    assert (affiliations[0].obstacle, affiliations[0].via) == (None, (("contact", "5"),))


def test_members_of_a_group_without_partner_belong_to_nobody():
    assert users(groups=[GroupFacts("g", None)], members=[("g", "p-1"), ("unknown", "p-1")]) == ()


def test_a_contact_without_partner_or_without_account_connects_nobody():
    assert users(contacts=[ContactFacts(5, None, "p-1"), ContactFacts(6, 1, None)]) == ()


@pytest.mark.parametrize(
    ("row", "verdict", "words"),
    [
        (enrollment(), Verdict.COUNTED, "held until 2027-01-01"),
        (enrollment(completed_at=utc(2024, 1, 1)), Verdict.EXPIRED, "expired on 2026-01-01"),
        (enrollment(completed_at=utc(2026, 4, 1)), Verdict.COMPLETED_LATER, "2026-04-01"),
        (enrollment(status="in_progress"), Verdict.NOT_COMPLETED, "not completed"),
        (enrollment(course_id="c-0"), Verdict.NO_NPCU, "no NPCU"),
        (enrollment(course_id="gone"), Verdict.UNKNOWN_COURSE, "no list"),
        (enrollment(expires_at=utc(2024, 12, 31)), Verdict.EXPIRED, "2024-12-31"),
        (enrollment(completed_at=AT, expires_at=AT), Verdict.EXPIRED, "2026-03-01"),
    ],
)
def test_what_is_not_counted_has_a_reason_in_words(row, verdict, words):
    item = items([row])[0]
    assert item.verdict is verdict
    assert words in item.reason


def test_an_enrollment_that_expires_as_it_begins_is_never_held():
    assert held_period(enrollment(completed_at=AT, expires_at=AT)) is None
    assert held_period(enrollment(completed_at=AT, expires_at=AT + SECOND)) == (AT, AT + SECOND)


def test_a_course_that_no_list_knows_is_called_by_its_id_and_has_no_points():
    item = items([enrollment(course_id="gone")])[0]
    assert (item.course_name, item.category, item.npcu) == ("gone", None, 0)


def test_only_an_attempt_that_another_one_stands_for_names_the_other():
    attempts = [enrollment("a"), enrollment("b", completed_at=utc(2025, 6, 1)), enrollment("c", status="enrolled")]
    assert [(item.enrollment_id, item.other) for item in items(attempts)] == [("a", "b"), ("b", None), ("c", None)]


DAYS = [utc(2024, 2, 29), utc(2025, 1, 1), utc(2026, 2, 28), utc(2026, 3, 1), utc(2026, 3, 1, 0, 0, 1), utc(2027, 1, 1)]
ROWS = st.builds(
    enrollment,
    st.sampled_from([f"e-{number}" for number in range(12)]),
    user_id=st.sampled_from(["p-1", "p-2", "p-3"]),
    course_id=st.sampled_from([*COURSES, "gone"]),
    status=st.sampled_from(["completed", "completed", "completed", "in_progress"]),
    completed_at=st.none() | st.sampled_from(DAYS),
    expires_at=st.none() | st.none() | st.sampled_from(DAYS),
)
MANY = st.lists(ROWS, max_size=12, unique_by=lambda row: row.id)
TWO_PARTNERS = users(
    partners={1: True, 2: True},
    people={"p-1": ACTIVE, "p-2": ACTIVE, "p-3": PersonFacts(is_active=False, status="deactivated")},
    groups=[GroupFacts("g", 1), GroupFacts("h", 2)],
    members=[("g", "p-1"), ("g", "p-2"), ("g", "p-3"), ("h", "p-2")],
)
BOTH = (1, 2)


@settings(max_examples=100, deadline=None)
@given(MANY, st.sampled_from(DAYS), st.randoms(use_true_random=False))
def test_counts_do_not_depend_on_order_or_on_rows_that_come_twice(rows, at, random):
    twice = rows + rows
    random.shuffle(twice)
    shuffled = list(TWO_PARTNERS)
    random.shuffle(shuffled)
    assert counts(twice, at, shuffled, BOTH) == counts(rows, at, TWO_PARTNERS, BOTH)


@settings(max_examples=100, deadline=None)
@given(MANY, st.sampled_from(DAYS))
def test_another_attempt_never_lowers_a_count_and_never_counts_a_course_twice(rows, at):
    more = rows + [replace(row, id=row.id + "-again", completed_at=at) for row in rows]
    before, after = counts(rows, at, TWO_PARTNERS, BOTH), counts(more, at, TWO_PARTNERS, BOTH)
    for partner_id in BOTH:
        assert after[partner_id].total_npcu >= before[partner_id].total_npcu
        people = 2 if partner_id == 1 else 1
        assert sum(after[partner_id].by_category.values()) + after[partner_id].uncategorised <= 3 * people


@settings(max_examples=100, deadline=None)
@given(MANY, st.datetimes(utc(2024, 1, 1).replace(tzinfo=None), utc(2028, 1, 1).replace(tzinfo=None)))
def test_counts_change_only_at_completions_and_expiries(rows, naive):
    at = naive.replace(tzinfo=AT.tzinfo)
    events = [each.completed_at for each in rows if each.completed_at] + [
        expiry_of(each) for each in rows if expiry_of(each)
    ]
    last = max((event for event in events if event <= at), default=None)
    if last is not None:
        assert counts(rows, at, TWO_PARTNERS, BOTH) == counts(rows, last, TWO_PARTNERS, BOTH)
