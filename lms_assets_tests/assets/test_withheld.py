"""A count leaves only if everything it rests on was read after the last change of what it rests on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lms_assets.domain.rules import Rules
from lms_assets.warehouse.reading.withheld import withheld_partners
from lms_assets_tests.assets.queries import a_partner_with_points, row_of, sample_of
from lms_assets_tests.harness.agreement import differences
from lms_assets_tests.harness.chain import ChainHarness

pytestmark = pytest.mark.slow


def kinds(harness: ChainHarness) -> dict[int, set[str]]:
    """Partner row id to the kinds of reasons why it is withheld."""
    with harness.warehouse.read() as connection:
        found = withheld_partners(connection, Rules())
    return {partner_id: {each.kind for each in reasons} for partner_id, reasons in found.items()}


def shown_total(harness: ChainHarness, account: int) -> Any:
    """What the CRM shows of an account."""
    return harness.sandbox.vendor_state.accounts[account].total_npcu


def a_course(harness: ChainHarness) -> str:
    """A certification."""
    return str(next(row["id"] for row in harness.rows("lms_courses") if row["npcu_value"] == 1))


def a_new_partner(harness: ChainHarness, name: str = "Quillfeather Works") -> tuple[int, str, str]:
    """An account, its group and a member with a certification: (account, group, person)."""
    account = int(harness.sandbox.mutate("add_account", name=name))
    group = str(harness.sandbox.mutate("add_group", name=f"ptr_{name}", account=account))
    person = str(harness.sandbox.mutate("add_person", email="new.learner@quillfeather.example"))
    harness.sandbox.mutate("add_member", group=group, person=person)
    harness.sandbox.mutate("complete_course", person=person, course=a_course(harness))
    return account, group, person


@pytest.mark.parametrize(
    ("dies_in", "endpoint"),
    [
        pytest.param("groups", "GET /groups", marks=pytest.mark.long),
        ("memberships", "GET /groups/{id}/memberships"),
        ("enrollments", "GET /transcripts/*"),
    ],
)
def test_a_new_partner_is_not_pushed_before_a_chain_has_been_through(
    synced: ChainHarness, dies_in: str, endpoint: str
) -> None:
    account, _, _ = a_new_partner(synced)
    synced.sandbox.mutate("set_account", account=account, fields={"total_npcu": 7})
    number = synced.sandbox.faults.add("unauthorized", endpoint)
    died = synced.run()
    # Without memberships the chain goes on and is partial.
    assert died.failed == (() if dies_in == "memberships" else (dies_in,)), died.errors
    assert bool(died.partial) is (dies_in == "memberships")
    synced.sandbox.faults.remove(number)
    synced.advance(hours=1)
    pushed = synced.run("push_to_impartner")
    assert pushed.success, pushed.errors
    assert shown_total(synced, account) == 7
    assert "no_partner_is_withheld" in pushed.red
    partner = row_of(synced, "partners", impartner_id=account)["id"]
    assert [line for line in sample_of(pushed, "no_partner_is_withheld") if line.startswith(f"partner {partner}: ")]
    synced.advance(hours=1)
    whole = synced.run()
    assert (whole.success, "no_partner_is_withheld" in whole.red) == (True, False)
    assert differences(synced) == []


def test_a_count_made_before_everything_was_read_does_not_leave_later(synced: ChainHarness) -> None:
    """Assets started one by one: everything is read at last, and the stored count is still that of before."""
    account, _, _ = a_new_partner(synced)
    synced.sandbox.mutate("set_account", account=account, fields={"total_npcu": 7})
    counting = ("partner_certifications", "partner_cert_counts")
    for asset in ("partners", *counting, "contacts", "users", "groups", "memberships"):
        synced.advance(minutes=1)
        assert synced.run(assets=(asset,), alone=True).success
    synced.advance(minutes=1)
    assert synced.run("enrollments_incremental", assets=("enrollments",)).success
    partner = row_of(synced, "partners", impartner_id=account)["id"]
    assert synced.run(assets=("partner_certifications",), alone=True).success
    assert kinds(synced) == {partner: {"not_counted_since"}}, "the ledger is new, the stored counts are not"
    assert synced.run(assets=("pushed_partner_cert_counts",), alone=True).success
    assert shown_total(synced, account) == 7
    assert synced.run("push_to_impartner").success
    assert shown_total(synced, account) == 1


def test_what_a_count_rests_on_changes_and_it_waits_until_that_was_read(synced: ChainHarness) -> None:
    """A partner that comes back, a group linked again, an override written or removed, a contact that moves."""
    partner = a_partner_with_points(synced)
    account, row_id = partner["impartner_id"], partner["id"]
    tier = partner["partner_tier"]
    group = next(row["id"] for row in synced.rows("lms_groups") if row["partner_id"] == row_id and row["is_active"])

    def override(sql: str) -> None:
        with synced.warehouse.transaction() as connection:
            connection.exec_driver_sql(sql)

    synced.sandbox.mutate("set_account", account=account, fields={"partner_tier": "Pending"})
    synced.run(assets=("partners",), alone=True)
    synced.advance(minutes=1)
    synced.sandbox.mutate("set_account", account=account, fields={"partner_tier": tier})
    synced.run(assets=("partners",), alone=True)
    assert {"groups_not_read", "contacts_not_read", "person_not_read_since"} <= kinds(synced)[row_id]
    synced.advance(minutes=1)
    assert synced.run().success
    assert kinds(synced) == {}

    other = next(row["id"] for row in synced.rows("partners") if row["is_active"] and row["id"] != row_id)
    override(f"INSERT INTO group_partner_overrides (group_id, partner_id) VALUES ('{group}', {other})")
    assert kinds(synced) == {row_id: {"override_not_applied"}, other: {"override_not_applied"}}
    synced.advance(minutes=1)
    synced.run(assets=("groups",), alone=True)
    assert "group_not_read_since_linked" in kinds(synced)[other]
    assert row_id not in kinds(synced)
    override("DELETE FROM group_partner_overrides")
    assert "override_not_applied" in kinds(synced)[other]
    synced.advance(minutes=1)
    assert synced.run().success
    assert kinds(synced) == {}

    contact = next(
        row for row in synced.rows("contacts") if row["is_active"] and row["partner_id"] and row["lms_user_id"]
    )
    synced.sandbox.mutate(
        "set_contact", contact=contact["impartner_id"], fields={"email": "moved@quillfeather.example"}
    )
    synced.advance(minutes=1)
    synced.run(assets=("contacts",), alone=True)
    assert kinds(synced) == {contact["partner_id"]: {"users_not_read_since_contact_changed"}}
    assert row_of(synced, "contacts", id=contact["id"])["lms_user_id"] is None


def test_a_person_never_read_is_not_taken_for_somebody_who_holds_nothing(harness: ChainHarness) -> None:
    """Up to 5 % of the people may be unread; the CRM keeps what it has of their partners until they were read once."""
    vendor_state = harness.sandbox.vendor_state
    group = next(each for each in vendor_state.intended_links if len(vendor_state.memberships[each]) > 3)
    person = next(
        each
        for each in vendor_state.memberships[group]
        if each in vendor_state.people and not vendor_state.people[each].disabled
    )
    number = harness.sandbox.faults.add("server_error", f"GET /transcripts/{person}")
    result = harness.run()
    assert result.success, result.errors
    partner = row_of(harness, "lms_groups", id=group)["partner_id"]
    account = row_of(harness, "partners", id=partner)["impartner_id"]
    assert account not in {row["impartner_id"] for row in harness.rows("pushed_partner_counts")}
    assert {"transcripts_were_all_read", "no_partner_is_withheld"} <= result.red
    lines = sample_of(result, "no_partner_is_withheld")
    assert f"partner {partner}: transcripts never read completely: 1 person ({person})" in lines
    harness.sandbox.faults.remove(number)
    harness.advance(hours=4)
    assert harness.run("enrollments_incremental").success
    assert harness.run("push_to_impartner").success
    assert kinds(harness) == {}
    assert account in {row["impartner_id"] for row in harness.rows("pushed_partner_counts")}


def test_people_last_read_too_long_ago_are_shown_by_partner(synced: ChainHarness) -> None:
    """They count as they were read last; nobody has to find out by himself that this was days ago."""
    partner = a_partner_with_points(synced)["id"]
    groups = {row["id"] for row in synced.rows("lms_groups") if row["partner_id"] == partner}
    active = {row["id"] for row in synced.rows("lms_users") if row["is_active"]}
    person = next(
        row["user_id"]
        for row in synced.rows("lms_group_members")
        if row["group_id"] in groups and row["user_id"] in active
    )
    long_ago = (synced.now - timedelta(hours=49)).strftime("%Y-%m-%d %H:%M:%S")
    with synced.warehouse.transaction() as connection:
        connection.exec_driver_sql(f"UPDATE lms_users SET enrollment_synced_at = '{long_ago}' WHERE id = '{person}'")
    synced.sandbox.faults.add("server_error", f"GET /transcripts/{person}")
    result = synced.run(assets=("enrollments",))
    assert result.success, result.errors
    assert f"partner {partner}: 1 person ({person})" in sample_of(result, "people_were_read_recently")
