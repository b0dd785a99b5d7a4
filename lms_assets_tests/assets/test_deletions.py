"""What is gone, filtered out or disabled at the source goes; what is there again comes back; each shown by a chain."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from lms_assets_tests.assets.queries import (
    a_group_of_people,
    a_partner_with_points,
    active_ids,
    pairs,
    people_by_group,
    row_of,
)
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


def test_each_kind_of_record_goes_with_its_reason_and_comes_back(synced: ChainHarness) -> None:
    """One of each kind in one night, each of another partner or person, and the next night what can return does."""
    gone = Gone(synced)
    gone.take_away()
    # So much at once makes the counts fall suddenly, which somebody has to say is right.
    result = synced.run(allow=EVERYTHING)
    assert result.success, result.errors
    assert differences(synced) == []
    gone.refuse_what_is_left_of(synced)
    gone.bring_back()
    again = synced.run(allow=EVERYTHING)
    assert again.success, again.errors
    assert differences(synced) == []
    gone.refuse_what_has_not_returned(synced)


class Gone:
    """What is taken away at the vendors, and how the tables must show it."""

    def __init__(self, harness: ChainHarness) -> None:
        self.sandbox = harness.sandbox
        self.small_group, (self.leaver, *_) = a_group_of_people(harness)
        self.joined = self._joined(harness)
        crowd, _ = max(people_by_group(harness).items(), key=lambda item: len(item[1]))
        people = [person for person in people_by_group(harness)[crowd] if person not in self.joined]
        self.disabled, self.deleted = people[:2], people[2:4]
        alone = [group for group, members in sorted(people_by_group(harness).items()) if len(members) == 1]
        self.deleted_group, self.renamed_group = alone[:2]
        active = [row for row in harness.rows("contacts") if row["is_active"] and row["partner_id"]]
        contacts_of = Counter(row["partner_id"] for row in active)
        self.partner = next(row for row in harness.rows("partners") if row["id"] == contacts_of.most_common(2)[-1][0])
        self.people_of_partner = {row["id"] for row in active if row["partner_id"] == self.partner["id"]}
        linked = [row for row in active if row["lms_user_id"] and row["id"] not in self.people_of_partner]
        self.deleted_contact, self.terminated_contact = linked[:2]
        held = [row for row in harness.rows("lms_enrollments") if row["completed_at"]]
        self.removed, self.archived = held[0], held[-1]["course_id"]
        self.courses = {row["id"] for row in harness.rows("lms_courses")}
        self.newcomer = self.new_group = ""

    def take_away(self) -> None:
        mutate = self.sandbox.mutate
        self.saved_contact = self.sandbox.vendor_state.users[self.deleted_contact["impartner_id"]]
        mutate("delete_contact", contact=self.deleted_contact["impartner_id"])
        terminated = {"contact_status": "Terminated"}
        mutate("set_contact", contact=self.terminated_contact["impartner_id"], fields=terminated)
        mutate("set_account", account=self.partner["impartner_id"], fields={"account_status": "Inactive"})
        for person, dated in zip(self.disabled, (True, False), strict=True):
            mutate("disable_person", person=person, dated=dated)
        # Whether the LMS still names the person as a member or not.
        for person, dangling in zip(self.deleted, (True, False), strict=True):
            mutate("delete_person", person=person, keep_memberships=dangling)
        mutate("delete_group", group=self.deleted_group)
        mutate("rename_group", group=self.renamed_group, name="Internal people")
        mutate("remove_member", group=self.small_group, person=self.leaver)
        mutate("remove_transcript", transcript=self.removed["id"])
        mutate("touch_person", person=self.removed["user_id"])
        mutate("archive_course", course=self.archived)
        account = mutate("add_account", name="Wandering Herons")
        self.new_group = str(mutate("add_group", name="Wandering Herons Ltd", account=account))
        self.newcomer = str(mutate("add_person", email="heron@example.com"))
        mutate("add_member", group=self.new_group, person=self.newcomer)

    def refuse_what_is_left_of(self, harness: ChainHarness) -> None:
        contact = row_of(harness, "contacts", id=self.deleted_contact["id"])
        assert (contact["is_active"], contact["deleted_at"] is not None) == (False, True)
        assert not row_of(harness, "contacts", id=self.terminated_contact["id"])["is_active"]
        still = {row["id"] for row in harness.rows("contacts") if row["partner_id"] == self.partner["id"]}
        assert still >= self.people_of_partner, "they stay linked so that they can be offboarded"
        assert self.partner["id"] not in active_ids(harness, "partners")
        states = {row["id"]: (row["status"], row["is_active"]) for row in harness.rows("lms_users")}
        assert [states[person] for person in self.disabled] == [("deactivated", False)] * 2
        assert [states[person] for person in self.deleted] == [("deleted", False)] * 2
        for group, reason in ((self.deleted_group, "gone from the LMS"), (self.renamed_group, "left out by name")):
            row = row_of(harness, "lms_groups", id=group)
            assert (row["is_active"], row["deletion_reason"]) == (False, reason)
            assert row["deleted_at"]
        left = {person: at for person, at in self.joined.items() if person != self.leaver}
        assert self._joined(harness) == left, "who stays keeps the day of joining"
        assert self.removed["id"] not in {row["id"] for row in harness.rows("lms_enrollments")}
        assert {row["id"] for row in harness.rows("lms_courses")} == self.courses, "people still hold them"
        assert (self.new_group, self.newcomer) in pairs(harness)

    def bring_back(self) -> None:
        self.sandbox.vendor_state.users[self.saved_contact.id] = self.saved_contact
        self.sandbox.vendor_state.touched("users")
        for person in self.disabled:
            self.sandbox.mutate("enable_person", person=person)
        self.sandbox.mutate("remove_member", group=self.new_group, person=self.newcomer)

    def refuse_what_has_not_returned(self, harness: ChainHarness) -> None:
        assert row_of(harness, "contacts", id=self.deleted_contact["id"])["is_active"]
        for person in self.disabled:
            row = row_of(harness, "lms_users", id=person)
            assert (row["status"], row["is_active"], row["deactivation_reason"]) == ("active", True, None)
        assert (self.new_group, self.newcomer) not in pairs(harness), "the last member, whatever an empty list is like"

    def _joined(self, harness: ChainHarness) -> dict[str, Any]:
        members = [row for row in harness.rows("lms_group_members") if row["group_id"] == self.small_group]
        return {row["user_id"]: row["added_at"] for row in members}


def test_a_person_disabled_first_and_deleted_later_ends_as_deleted(synced: ChainHarness) -> None:
    _, members = a_group_of_people(synced)
    synced.sandbox.mutate("disable_person", person=members[0])
    assert synced.run(assets=("users",)).success
    synced.sandbox.mutate("delete_person", person=members[0])
    assert synced.run(assets=("users",)).success
    assert row_of(synced, "lms_users", id=members[0])["status"] == "deleted"


def test_an_enrollment_that_a_transcript_no_longer_has_is_removed_within_hours(synced: ChainHarness) -> None:
    enrollment = next(row for row in synced.rows("lms_enrollments") if row["completed_at"])
    synced.sandbox.mutate("remove_transcript", transcript=enrollment["id"])
    synced.sandbox.mutate("touch_person", person=enrollment["user_id"])
    result = synced.run("enrollments_incremental")
    assert result.success, result.errors
    assert enrollment["id"] not in {row["id"] for row in synced.rows("lms_enrollments")}
    assert synced.run("push_to_impartner").success
    assert differences(synced) == []
