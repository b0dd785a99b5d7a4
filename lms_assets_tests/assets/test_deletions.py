"""What is gone, filtered out or disabled at the source goes; what is there again comes back; each shown by a chain."""

from __future__ import annotations

import pytest

from lms_assets_tests.assets.queries import a_group_of_people, a_partner_with_points, active_ids, pairs, row_of
from lms_assets_tests.harness.agreement import differences
from lms_assets_tests.harness.chain import EVERYTHING, ChainHarness

pytestmark = pytest.mark.slow


def test_a_deleted_account_is_deactivated_keeps_its_row_and_is_told_nothing_any_more(synced: ChainHarness) -> None:
    partner = a_partner_with_points(synced)
    synced.sandbox.mutate("delete_account", account=partner["impartner_id"])
    result = synced.run()
    assert result.success, result.errors
    row = row_of(synced, "partners", id=partner["id"])
    assert (row["is_active"], row["account_status"]) == (False, "Inactive")
    assert row["deleted_at"] is not None
    assert differences(synced) == []


LEFT_OUT = (
    {"partner_tier": "Pending"},
    {"partner_tier": None},
    {"account_status": "Inactive"},
    {"name": "Nintex of Somewhere"},
)


def test_an_account_that_the_rules_leave_out_is_deactivated_and_comes_back_by_itself(synced: ChainHarness) -> None:
    """One account for each reason."""
    accounts = synced.sandbox.vendor_state.accounts
    with_status = [row for row in synced.rows("partners") if accounts[row["impartner_id"]].account_status]
    poor = [row for row in with_status if row["is_active"] and not row["total_npcu"]]
    chosen = [a_partner_with_points(synced), *poor[: len(LEFT_OUT) - 1]]
    partners = dict(zip((row["id"] for row in chosen), LEFT_OUT, strict=True))
    numbers = {row["id"]: row["impartner_id"] for row in synced.rows("partners") if row["id"] in partners}
    before = {
        each: {name: getattr(accounts[numbers[each]], name) for name in fields} for each, fields in partners.items()
    }
    for each, fields in partners.items():
        synced.sandbox.mutate("set_account", account=numbers[each], fields=fields)
    assert synced.run(assets=("partners",)).success
    assert not set(partners) & active_ids(synced, "partners")
    for each, fields in before.items():
        synced.sandbox.mutate("set_account", account=numbers[each], fields=fields)
    again = synced.run()
    assert again.success, again.errors
    for each, number in numbers.items():
        row = row_of(synced, "partners", id=each)
        status = accounts[number].account_status
        assert (row["is_active"], row["deleted_at"], row["account_status"]) == (True, None, status)
    assert again.metadata["partners"]["reactivated"] == len(partners)
    assert differences(synced) == []


def test_a_contact_who_left_the_crm_no_longer_counts_and_one_who_returns_does(synced: ChainHarness) -> None:
    contact = next(row for row in synced.rows("contacts") if row["lms_user_id"] and row["partner_id"])
    numbers = [contact["impartner_id"]]
    removed = synced.sandbox.vendor_state.users[numbers[0]]
    synced.sandbox.mutate("delete_contact", contact=numbers[0])
    assert synced.run().success
    gone = row_of(synced, "contacts", id=contact["id"])
    assert not gone["is_active"]
    assert gone["deleted_at"]
    assert differences(synced) == []
    synced.sandbox.vendor_state.users[removed.id] = removed
    synced.sandbox.vendor_state.touched("users")
    assert synced.run().success
    assert row_of(synced, "contacts", id=contact["id"])["is_active"]
    assert differences(synced) == []


def test_a_contact_set_inactive_goes_without_being_deleted(synced: ChainHarness) -> None:
    contact = next(row for row in synced.rows("contacts") if row["is_active"] and row["partner_id"])
    synced.sandbox.mutate("set_contact", contact=contact["impartner_id"], fields={"contact_status": "Terminated"})
    assert synced.run().success
    assert not row_of(synced, "contacts", id=contact["id"])["is_active"]
    assert differences(synced) == []


def test_contacts_of_a_partner_that_left_stay_linked_so_that_they_can_be_offboarded(synced: ChainHarness) -> None:
    partner = max(
        (row for row in synced.rows("partners") if row["is_active"]),
        key=lambda row: sum(each["partner_id"] == row["id"] for each in synced.rows("contacts")),
    )
    people = {row["id"] for row in synced.rows("contacts") if row["partner_id"] == partner["id"]}
    assert people
    account = partner["impartner_id"]
    synced.sandbox.mutate("set_account", account=account, fields={"account_status": "Inactive"})
    assert synced.run().success
    assert {row["id"] for row in synced.rows("contacts") if row["partner_id"] == partner["id"]} == people
    assert differences(synced) == []


def test_a_disabled_person_stops_counting_and_an_enabled_one_counts_again(synced: ChainHarness) -> None:
    """With and without the day on which it happened."""
    _, members = a_group_of_people(synced)
    for person, dated in zip(members[:2], (True, False), strict=True):
        synced.sandbox.mutate("disable_person", person=person, dated=dated)
    assert synced.run().success
    rows = [row_of(synced, "lms_users", id=person) for person in members[:2]]
    assert [(row["status"], row["is_active"]) for row in rows] == [("deactivated", False)] * 2
    assert differences(synced) == []
    for person in members[:2]:
        synced.sandbox.mutate("enable_person", person=person)
    assert synced.run().success
    rows = [row_of(synced, "lms_users", id=person) for person in members[:2]]
    assert [(row["status"], row["is_active"], row["deactivation_reason"]) for row in rows] == [
        ("active", True, None)
    ] * 2
    assert differences(synced) == []


def test_a_deleted_person_is_marked_and_counts_for_nobody(synced: ChainHarness) -> None:
    """Whether the LMS still names the person as a member or not."""
    _, members = a_group_of_people(synced)
    for person, dangling in zip(members[:2], (True, False), strict=True):
        synced.sandbox.mutate("delete_person", person=person, keep_memberships=dangling)
    result = synced.run()
    assert result.success, result.errors
    rows = [row_of(synced, "lms_users", id=person) for person in members[:2]]
    assert [(row["status"], row["is_active"]) for row in rows] == [("deleted", False)] * 2
    assert differences(synced) == []


def test_a_person_disabled_first_and_deleted_later_ends_as_deleted(synced: ChainHarness) -> None:
    _, members = a_group_of_people(synced)
    synced.sandbox.mutate("disable_person", person=members[0])
    assert synced.run(assets=("users",)).success
    synced.sandbox.mutate("delete_person", person=members[0])
    assert synced.run(assets=("users",)).success
    assert row_of(synced, "lms_users", id=members[0])["status"] == "deleted"


@pytest.mark.parametrize("how", ["deleted", "renamed"])
def test_a_group_that_is_gone_or_left_out_is_deactivated_with_the_reason(synced: ChainHarness, how: str) -> None:
    group, _ = a_group_of_people(synced)
    if how == "deleted":
        synced.sandbox.mutate("delete_group", group=group)
    else:
        synced.sandbox.mutate("rename_group", group=group, name="Internal people")
    result = synced.run()
    assert result.success, result.errors
    row = row_of(synced, "lms_groups", id=group)
    assert not row["is_active"]
    assert row["deleted_at"]
    assert row["deletion_reason"] == ("gone from the LMS" if how == "deleted" else "left out by name")
    assert differences(synced) == []


def test_who_leaves_a_group_is_out_of_it_and_when_the_others_came_in_is_kept(synced: ChainHarness) -> None:
    group, members = a_group_of_people(synced)
    joined = {row["user_id"]: row["added_at"] for row in synced.rows("lms_group_members") if row["group_id"] == group}
    synced.sandbox.mutate("remove_member", group=group, person=members[0])
    assert synced.run().success
    left = {row["user_id"]: row["added_at"] for row in synced.rows("lms_group_members") if row["group_id"] == group}
    assert left == {person: at for person, at in joined.items() if person != members[0]}
    assert differences(synced) == []


def test_the_last_member_of_a_group_may_leave_whatever_an_empty_list_looks_like(synced: ChainHarness) -> None:
    account = synced.sandbox.mutate("add_account", name="Wandering Herons")
    group = str(synced.sandbox.mutate("add_group", name="Wandering Herons Ltd", account=account))
    person = str(synced.sandbox.mutate("add_person", email="heron@example.com"))
    synced.sandbox.mutate("add_member", group=group, person=person)
    assert synced.run().success
    assert (group, person) in pairs(synced)
    synced.sandbox.mutate("remove_member", group=group, person=person)
    assert synced.run().success
    assert (group, person) not in pairs(synced)


@pytest.mark.parametrize("job", ["daily_full", "enrollments_incremental"])
def test_an_enrollment_that_a_transcript_no_longer_has_is_removed(synced: ChainHarness, job: str) -> None:
    enrollment = next(row for row in synced.rows("lms_enrollments") if row["completed_at"])
    synced.sandbox.mutate("remove_transcript", transcript=enrollment["id"])
    synced.sandbox.mutate("touch_person", person=enrollment["user_id"])
    result = synced.run(job)
    assert result.success, result.errors
    assert enrollment["id"] not in {row["id"] for row in synced.rows("lms_enrollments")}
    assert synced.run("push_to_impartner").success
    assert differences(synced) == []


def test_a_course_that_no_list_knows_any_more_still_counts_for_those_who_hold_it(synced: ChainHarness) -> None:
    """Courses are never deleted on account of a sync: people still hold them."""
    courses = {row["id"] for row in synced.rows("lms_courses")}
    held = next(row["course_id"] for row in synced.rows("lms_enrollments") if row["completed_at"])
    synced.sandbox.mutate("archive_course", course=held)
    assert synced.run().success
    assert {row["id"] for row in synced.rows("lms_courses")} == courses
    assert differences(synced) == []


def test_everything_at_once_ends_as_the_oracle_says(synced: ChainHarness) -> None:
    sandbox, vendor_state = synced.sandbox, synced.sandbox.vendor_state
    group, members = a_group_of_people(synced)
    partner = a_partner_with_points(synced)
    sandbox.mutate("remove_member", group=group, person=members[0])
    sandbox.mutate("delete_person", person=members[1])
    sandbox.mutate("set_account", account=partner["impartner_id"], fields={"partner_tier": "Pending"})
    for contact in [row["impartner_id"] for row in synced.rows("contacts") if row["is_active"]][:3]:
        sandbox.mutate("delete_contact", contact=contact)
    sandbox.mutate("rename_account", account=next(number for number in vendor_state.accounts), name="Renamed Overnight")
    # So much at once makes the counts fall suddenly, which somebody has to say is right.
    result = synced.run(allow=EVERYTHING)
    assert result.success, result.errors
    assert differences(synced) == []
    assert partner["id"] not in active_ids(synced, "partners")
