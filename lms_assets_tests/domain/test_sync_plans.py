"""What the syncs decide before they write, from values alone: nothing is taken away that a second look contradicts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from lms_assets.domain.records.contacts import Contact, StoredContact
from lms_assets.domain.records.courses import CourseProperties, StoredCourse, parse_npcu
from lms_assets.domain.records.groups import LmsGroup, StoredGroup
from lms_assets.domain.records.partners import StoredPartner
from lms_assets.domain.records.transcripts import Enrollment, Outcome, TranscriptRead
from lms_assets.domain.records.users import LmsUser, StoredUser
from lms_assets.domain.records.values import Rejected
from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.confirmation import Answers, Doubt, ListingResult
from lms_assets.domain.sync_plans.contacts import Employers, doubtful_contacts, plan_contacts
from lms_assets.domain.sync_plans.course_points import (
    compared_with_second,
    missing_courses,
    plan_course_points,
    poorer_courses,
)
from lms_assets.domain.sync_plans.crm import plan_partners
from lms_assets.domain.sync_plans.crm_deactivations import confirm_departed, doubtful_changes
from lms_assets.domain.sync_plans.enrollments import KnownEnrollments, judge_both, judge_first, plan_enrollments
from lms_assets.domain.sync_plans.groups import LinkedTo, doubtful_groups, plan_groups
from lms_assets.domain.sync_plans.memberships import (
    MembershipPlan,
    MembersRead,
    SecondLook,
    judge_list,
    needs_second_look,
)
from lms_assets.domain.sync_plans.users import doubtful_users, plan_users

RULES = Rules()
AT = datetime(2026, 3, 2, tzinfo=UTC)


def user(key: str, *, email: str | None = "a@partner.example", is_active: bool = True) -> LmsUser:
    status = "active" if is_active else "deactivated"
    return LmsUser(key, email, None, None, None, None, None, status, is_active, None)


def stored_user(key: str, *, is_active: bool = True, email: str | None = "a@partner.example") -> StoredUser:
    return StoredUser(key, email, is_active, "active" if is_active else "deactivated", None, None, None)


def test_a_first_load_writes_everybody_and_asks_for_nobody():
    listing = ListingResult((user("u1"), user("u2", is_active=False)))
    assert not any(doubtful_users(listing, {}, RULES).values())
    plan = plan_users(listing, {}, {})
    assert ([row.id for row in plan.rows], plan.leaving, plan.returned) == (["u1", "u2"], set(), set())


def test_people_are_in_doubt_when_missing_disabled_or_without_their_email():
    stored = {key: stored_user(key) for key in ("u1", "u2", "u3", "u4")}
    stored["u5"] = stored_user("u5", is_active=False)
    listing = ListingResult((user("u1"), user("u2", is_active=False), user("u3", email=None)))
    assert doubtful_users(listing, stored, RULES) == {
        Doubt.DISABLED: ["u2"],
        Doubt.WITHOUT_EMAIL: ["u3"],
        Doubt.ABSENT: ["u4"],
        Doubt.ABSENT_INACTIVE: ["u5"],
    }
    assert set(doubtful_users(listing.incomplete("drifted"), stored, RULES)) == {Doubt.DISABLED, Doubt.WITHOUT_EMAIL}


def test_somebody_who_reads_differently_by_id_stays_as_stored_and_nobody_is_gone():
    stored = {key: stored_user(key) for key in ("u1", "u2", "u3")}
    listing = ListingResult((user("u1"), user("u2", is_active=False)))
    gone = {Doubt.ABSENT: Answers[str, LmsUser](frozenset(["u3"]))}
    confirmed = plan_users(listing, stored, {Doubt.DISABLED: Answers(frozenset(["u2"])), **gone})
    assert (confirmed.leaving, confirmed.gone) == ({"u2", "u3"}, {"u3"})
    contradicted = plan_users(listing, stored, {Doubt.DISABLED: Answers(frozenset(["u2"]), {"u2": user("u2")}), **gone})
    assert ([row.id for row in contradicted.rows], contradicted.leaving) == (["u1"], set())
    assert not contradicted.listing.complete


def test_who_is_active_again_has_their_transcript_read_again():
    plan = plan_users(ListingResult((user("u1"),)), {"u1": stored_user("u1", is_active=False)}, {})
    assert plan.returned == {"u1"}


def group(key: str, name: str) -> LmsGroup:
    return LmsGroup(key, name, None, 3)


def stored_group(key: str, partner_id: int | None = None) -> StoredGroup:
    return StoredGroup(key, key, 3, True, partner_id, "exact", 100.0, None)


def test_a_group_of_a_partner_that_left_keeps_its_link_and_a_lost_link_is_remembered():
    partners = [StoredPartner(1, "Ayr", None, 11, False), StoredPartner(2, "Bray", None, 12, True)]
    linked_to = LinkedTo(partners, {}, {})
    stored = {"g1": stored_group("g1", 1), "g2": stored_group("g2", 2), "g3": stored_group("g3")}
    listing = ListingResult(
        (group("g1", "Quite Another Name"), group("g2", "Unheard Of")), (Rejected("excluded", "group", "g3", "why"),)
    )
    assert doubtful_groups(listing, stored) == {Doubt.EXCLUDED: ["g3"], Doubt.ABSENT: []}
    answers = {Doubt.EXCLUDED: Answers[str, LmsGroup](frozenset(["g3"]), {"g3": listing.rejected[0]})}
    plan = plan_groups(listing, stored, linked_to, answers, RULES)
    assert {row.id: row.partner_id for row in plan.rows} == {"g1": 1, "g2": None}
    assert (plan.lost, plan.excluded, plan.gone) == ({"g2": 2}, {"g3"}, set())


def contact(number: int, email: str, account: int | None = 11, **more: Any) -> Contact:
    made = Contact(number, email, None, None, None, None, account, None, AT)
    return replace(made, **more)


EMPLOYERS = Employers.of(
    [StoredPartner(1, "Ayr", None, 11, True), StoredPartner(2, "Bray", None, 12, False)],
    {11: 101},
    [StoredContact(5, "a@partner.example", 101, True)],
    {5: 1},
)


def test_contacts_get_their_row_their_partner_and_whether_they_are_its_primary_user():
    stored = [StoredContact(5, "a@partner.example", 101, True)]
    listing = ListingResult((contact(101, "a@partner.example"), contact(102, "b@partner.example", 12)))
    plan = plan_contacts(listing, {101, 102}, stored, EMPLOYERS, {})
    assert [(row.id, row.partner_id, row.is_primary) for row in plan.rows] == [(5, 1, True), (None, 2, False)]
    assert (plan.leaving, plan.displaced, plan.resolved) == (set(), (), {101, 102})


def test_a_contact_that_seems_to_have_lost_its_partner_is_asked_for_by_id():
    stored = [StoredContact(5, "a@partner.example", 101, True)]
    listing = ListingResult((contact(101, "a@partner.example", None),))
    doubts = doubtful_contacts(listing, {101}, {101}, EMPLOYERS)
    assert doubts[Doubt.WITHOUT_PARTNER] == [101]
    again = Answers(frozenset([101]), {101: contact(101, "a@partner.example")})
    plan = plan_contacts(listing, {101}, stored, EMPLOYERS, {Doubt.WITHOUT_PARTNER: again})
    assert [row.partner_id for row in plan.rows] == [1]


def test_a_contact_waits_for_an_address_of_somebody_of_whom_nothing_was_learnt():
    stored = [StoredContact(5, "a@partner.example", 101, True)]
    listing = ListingResult((contact(102, "a@partner.example"),), (Rejected("bad", "contact", "101", "why"),))
    plan = plan_contacts(listing, {101, 102}, stored, EMPLOYERS, {})
    assert (plan.rows, plan.leaving) == ((), set())
    assert [each.entity_id for each in plan.listing.rejected if each.kind == "duplicate"] == ["102"]


def test_a_partner_whose_account_is_gone_leaves_unless_another_account_has_its_row():
    stored = [StoredPartner(1, "Ayr", None, 11, True), StoredPartner(2, "Bray", None, 12, True)]
    gone = {Doubt.ABSENT: Answers[int, Any](frozenset([11, 12]))}
    assert plan_partners(ListingResult(), stored, gone).leaving == {1, 2}
    still_there = {Doubt.ABSENT: replace(gone[Doubt.ABSENT], belonging=frozenset([12]))}
    plan = plan_partners(ListingResult(), stored, still_there)
    assert (plan.leaving, plan.listing.complete) == (set(), False)


def test_who_left_the_crm_is_told_by_its_log_or_a_rule_on_answers_that_prove_it():
    stored = [StoredContact(5, "a@partner.example", 101, True), StoredContact(6, "b@partner.example", 102, True)]
    listing: ListingResult[Contact] = ListingResult((), (Rejected("excluded", "contact", "102", "why"),))
    assert doubtful_changes(listing, {101, 999}, {101, 102}) == {Doubt.EXCLUDED: [102], Doubt.DELETED: [101]}
    deleted = {Doubt.DELETED: Answers[int, Contact](frozenset([101]))}
    excluded = {Doubt.EXCLUDED: Answers[int, Contact](frozenset([102]), {102: listing.rejected[0]})}
    assert confirm_departed(listing, stored, {**deleted, **excluded}) == (listing, {101, 102}, {5, 6})
    active_again = {Doubt.EXCLUDED: Answers(frozenset([102]), {102: contact(102, "b@partner.example")})}
    assert confirm_departed(listing, stored, {**deleted, **active_again})[1:] == (set(), set())


def points(**npcu: Any) -> ListingResult[CourseProperties]:
    return ListingResult(tuple(CourseProperties(key, key, parse_npcu(value), {}) for key, value in npcu.items()))


STORED_POINTS = {"c1": 2, "c2": 1, "c3": 0}


def test_fewer_points_are_believed_when_two_readings_say_so():
    first = points(c1=0, c2=1)
    assert (set(poorer_courses(first, STORED_POINTS)), missing_courses(first, STORED_POINTS)) == ({"c1"}, set())
    assert compared_with_second(first, points(c1=0, c2=1), STORED_POINTS) == first


@pytest.mark.parametrize("second", [points(c1=2, c2=1), points(c1=0, c2=1).incomplete("drifted")])
def test_points_stay_as_stored_when_the_second_reading_differs_or_proves_nothing(second: Any):
    found = compared_with_second(points(c1=0, c2=1), second, STORED_POINTS)
    assert ([each.course_id for each in found.accepted], found.complete) == (["c2"], False)


def test_a_course_loses_its_points_when_no_reading_and_no_answer_shows_it():
    first = points(c1=2)
    assert missing_courses(first, STORED_POINTS) == {"c2"}
    assert not compared_with_second(first, points(c1=2, c2=1), STORED_POINTS).complete
    stored = StoredCourse("c1", "Its name", "published", 2, None, True, None, None)  # type: ignore[arg-type]
    plan = plan_course_points(first, [stored], Answers(frozenset(["c2"])))
    assert (plan.left, [course.name for course in plan.catalogue]) == ({"c2"}, ["Its name"])


def members(*people: str, **more: Any) -> MembersRead:
    return MembersRead(frozenset(people), **more)


GROUP = StoredGroup("g1", "Ayr", 2, True, 1, "exact", 100.0, None)


def test_a_list_needs_a_second_look_when_it_lacks_somebody_or_may_be_a_wrong_404():
    assert not needs_second_look(GROUP, members("a", "b"), ["a", "b"], 0)
    assert needs_second_look(GROUP, members("a"), ["a", "b"], 0)
    assert needs_second_look(replace(GROUP, user_count=None), members(not_found=True), [], 0)
    assert not needs_second_look(GROUP, members("a", complete=False), ["a", "b"], 0)


@pytest.mark.parametrize(
    ("second", "doubt"),
    [
        (SecondLook(members("a"), 1), None),
        (SecondLook(members("a"), 2), "1 member came, and the group's own number is 2"),
        (SecondLook(members("a", "b"), 2), "two readings differ in 1 of 2 records"),
        (SecondLook(members("a", complete=False), 1), "the second reading was incomplete"),
        (SecondLook(members("a", bad="no person"), 1), "no person"),
        (SecondLook(problem="the group is gone"), "the group is gone"),
    ],
)
def test_a_member_is_out_when_both_readings_and_the_groups_count_say_so(second: SecondLook, doubt: str | None):
    found = judge_list(GROUP, members("a"), ["a", "b"], 0, second)
    plan = MembershipPlan((found,), {"g1": ["a", "b"]}, {"g1": 5})
    assert found.doubt == doubt
    assert plan.left == ({} if doubt else {"g1": {"b"}})
    # What was known before stays while the list is in doubt; else the gap of this time is remembered.
    assert plan.gaps == ({"g1": 5} if doubt else {"g1": 1})


def test_an_incomplete_list_adds_the_members_seen_and_takes_nobody_out():
    found = judge_list(GROUP, members("c", complete=False, reasons=("drifted",)), ["a"], 0, None)
    plan = MembershipPlan((found,), {"g1": ["a"]}, {})
    assert (plan.incomplete, plan.left, plan.doubts) == ({"g1": {"c"}}, {}, {"g1": "drifted"})


def taken(key: str, *, done: bool = True, person: str = "ann") -> Enrollment:
    completed_at = AT if done else None
    status = "completed" if done else "in_progress"
    return Enrollment(key, person, "k2", status, None, None, None, completed_at, None, None)


def transcript(*rows: Enrollment, outcome: Outcome = "complete", person: str = "ann") -> TranscriptRead:
    return TranscriptRead(person, outcome, rows)


KNOWN = KnownEnrollments({"k2"}, {"ann": {"e1", "e2"}}, completed={"e1"})


def test_a_transcript_is_read_twice_only_where_it_would_take_something_away() -> None:
    whole = transcript(taken("e1"), taken("e2", done=False), taken("e3"))
    assert judge_first("ann", whole, KNOWN) == whole
    assert judge_first("ann", transcript(outcome="partial"), KNOWN) == transcript(outcome="partial")
    assert judge_first("ann", transcript(taken("e1")), KNOWN) is None, "e2 would go"
    assert judge_first("ann", transcript(taken("e1", done=False), taken("e2")), KNOWN) is None, "a completion would go"
    assert judge_first("ann", None, KNOWN) is None, "a 404 denies what is stored"
    nothing = KnownEnrollments({"k2"}, {}, read_before={"bob"})
    assert judge_first("bob", None, nothing) == TranscriptRead("bob", "complete")
    assert judge_first("ann", None, nothing) is None, "of somebody who was never read a 404 proves nothing"


def test_two_readings_that_agree_are_believed_others_take_no_completion_back() -> None:
    fewer, whole = transcript(taken("e1")), transcript(taken("e1"), taken("e2", done=False))
    assert judge_both("ann", fewer, fewer, KNOWN) == fewer
    assert judge_both("ann", None, whole, KNOWN) == whole, "the 404 was a wrong answer"
    assert judge_both("ann", None, None, KNOWN) == TranscriptRead("ann", "complete")
    undone = transcript(taken("e1", done=False), taken("e3"))
    assert judge_both("ann", fewer, undone, KNOWN) == transcript(taken("e3"), outcome="partial")


def test_only_complete_transcripts_take_enrollments_away() -> None:
    reads = [transcript(taken("e1")), transcript(taken("b2", person="bob"), outcome="partial", person="bob")]
    stored = {"ann": {"e1", "e2"}, "bob": {"b1"}}
    plan = plan_enrollments(["ann", "bob", "cy"], reads, stored, everybody=True, read_at={"ann": AT, "bob": AT})
    assert plan.leaving == {"e2"}
    assert (plan.complete, plan.unread, plan.everybody_was_read) == ({"ann"}, {"cy"}, False)
    assert [each.id for each in plan.rows("complete")] == ["e1"]
    assert plan.right_ids == {"ann", "bob", "e1", "b2"}
    only = plan_enrollments(["ann"], reads[:1], stored, everybody=True, read_at={"ann": AT})
    assert only.everybody_was_read
    left = only.without({"ann"})
    assert (left.reads, left.unread, left.everybody_was_read) == ((), frozenset(), False)
