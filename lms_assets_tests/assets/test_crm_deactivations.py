"""Who left the CRM is followed by the incremental job, within hours; nobody is taken for gone on one bad answer."""

from __future__ import annotations

from typing import Any

import pytest

from lms_assets.run_tags import PEOPLE_TAG
from lms_assets.vendors.impartner.client import ImpartnerClient
from lms_assets_tests.assets.queries import a_partner_with_points, active_ids, row_of
from lms_assets_tests.harness.agreement import differences
from lms_assets_tests.harness.chain import ChainHarness, ChainResult

pytestmark = pytest.mark.slow


def look(harness: ChainHarness, **options: Any) -> ChainResult:
    """One look by the incremental job, without the rest of it."""
    return harness.run("enrollments_incremental", assets=("crm_deactivations",), **options)


def a_contact(harness: ChainHarness) -> dict[str, Any]:
    """A contact who counts for a partner by being its contact."""
    return next(
        row for row in harness.rows("contacts") if row["is_active"] and row["partner_id"] and row["lms_user_id"]
    )


@pytest.mark.parametrize(
    "fields",
    [None, {"partner_tier": "Pending"}, {"account_status": "Inactive"}],
    ids=["deleted", "tier", "status"],
)
def test_a_partner_that_left_is_inactive_after_the_incremental_job_without_counts(
    synced: ChainHarness, fields: dict[str, str] | None
) -> None:
    partner = a_partner_with_points(synced)
    if fields is None:
        synced.sandbox.mutate("delete_account", account=partner["impartner_id"])
    else:
        synced.sandbox.mutate("set_account", account=partner["impartner_id"], fields=fields)
    before = active_ids(synced, "partners")
    result = synced.run("enrollments_incremental")
    assert result.success, result.errors
    assert before - active_ids(synced, "partners") == {partner["id"]}
    row = row_of(synced, "partners", id=partner["id"])
    assert (row["account_status"], row["deleted_at"] is not None) == ("Inactive", True)
    assert result.metadata["crm_deactivations"]["partner_ids"] == [partner["id"]]
    assert synced.run("push_to_impartner").success
    assert differences(synced) == []


@pytest.mark.parametrize("how", ["deleted", "terminated", "inactive", "domain"])
def test_a_contact_who_left_is_inactive_after_the_incremental_job(synced: ChainHarness, how: str) -> None:
    contact = a_contact(synced)
    number = contact["impartner_id"]
    fields = {
        "terminated": {"contact_status": "Terminated"},
        "inactive": {"is_active": False},
        "domain": {"email": "somebody@nintex.com"},
    }
    if how == "deleted":
        synced.sandbox.mutate("delete_contact", contact=number)
    else:
        synced.sandbox.mutate("set_contact", contact=number, fields=fields[how])
    before = active_ids(synced, "contacts")
    assert look(synced).success
    assert before - active_ids(synced, "contacts") == {contact["id"]}
    assert row_of(synced, "contacts", id=contact["id"])["deleted_at"] is not None


def test_the_night_agrees_with_what_the_day_took_away_and_brings_back_who_returned(synced: ChainHarness) -> None:
    partner, contact = a_partner_with_points(synced), a_contact(synced)
    account = synced.sandbox.vendor_state.accounts[partner["impartner_id"]]
    tier = account.partner_tier
    synced.sandbox.mutate("set_account", account=account.id, fields={"partner_tier": "Pending"})
    synced.sandbox.mutate("delete_contact", contact=contact["impartner_id"])
    assert look(synced).metadata["crm_deactivations"]["deactivated"] == 2
    synced.advance(hours=4)
    again = look(synced)
    assert again.metadata["crm_deactivations"]["deactivated"] == 0
    synced.sandbox.mutate("set_account", account=account.id, fields={"partner_tier": tier})
    synced.advance(hours=4)
    assert look(synced).metadata["crm_deactivations"]["partners_changed"] >= 1
    assert not row_of(synced, "partners", id=partner["id"])["is_active"], "arrivals are the nightly chain's"
    night = synced.run()
    assert night.success, night.errors
    assert row_of(synced, "partners", id=partner["id"])["is_active"]
    assert differences(synced) == []


def test_a_quiet_day_costs_six_calls_and_writes_no_row_of_partners_or_contacts(synced: ChainHarness) -> None:
    synced.run("enrollments_incremental")
    synced.advance(hours=4)
    before = synced.rows("partners"), synced.rows("contacts")
    result = look(synced)
    assert result.success, result.errors
    assert result.metadata["crm_deactivations"]["api_calls"] <= 6
    assert (synced.rows("partners"), synced.rows("contacts")) == before


def test_a_recreated_account_keeps_its_row_until_the_full_sync_reassigns_it(
    synced: ChainHarness,
) -> None:
    partner = a_partner_with_points(synced)
    vendor_state = synced.sandbox.vendor_state
    twin = int(synced.sandbox.mutate("add_account", name="To be replaced"))
    old = vendor_state.accounts[partner["impartner_id"]]
    fields = {name: getattr(old, name) for name in ("name", "crm_id", "partner_tier", "account_status")}
    synced.sandbox.mutate("set_account", account=twin, fields=fields)
    synced.sandbox.mutate("delete_account", account=old.id)
    assert look(synced).success
    assert row_of(synced, "partners", id=partner["id"])["is_active"]
    assert synced.run("daily_full", assets=("partners",)).success
    row = row_of(synced, "partners", id=partner["id"])
    assert (row["is_active"], row["impartner_id"]) == (True, twin)


def account_of(harness: ChainHarness, contact: dict[str, Any]) -> int:
    """The CRM account for which a contact counts."""
    return int(row_of(harness, "partners", id=contact["partner_id"])["impartner_id"])


def test_a_contact_whose_address_another_has_stays_until_the_full_sync_reassigns_it(
    synced: ChainHarness,
) -> None:
    contact = a_contact(synced)
    twin = int(synced.sandbox.mutate("add_contact", email="twin@example.com", account=account_of(synced, contact)))
    older = {"email": contact["email"], "updated": "2020-01-01T00:00:00"}
    synced.sandbox.mutate("set_contact", contact=twin, fields=older)
    assert synced.run("daily_full", assets=("contacts",)).success
    assert row_of(synced, "contacts", email=contact["email"])["impartner_id"] == contact["impartner_id"]
    synced.advance(hours=4)
    synced.sandbox.mutate("delete_contact", contact=contact["impartner_id"])
    assert look(synced).success
    assert row_of(synced, "contacts", email=contact["email"])["is_active"]


def test_the_address_of_a_merged_contact_counts_when_the_one_who_took_it_is_deleted(synced: ChainHarness) -> None:
    """Somebody takes a contact's address, a chain has seen it, then that one is deleted: the address is still there."""
    account = a_partner_with_points(synced)["impartner_id"]
    course = next(row["id"] for row in synced.rows("lms_courses") if row["npcu_value"])
    person = synced.sandbox.mutate("add_person", email="learner@example.com")
    synced.sandbox.mutate("complete_course", person=person, course=course)
    number = synced.sandbox.mutate("add_contact", email="learner@example.com", account=account)
    taker = synced.sandbox.mutate("add_contact", email="taker@example.com", account=account)
    synced.advance(hours=1)
    assert synced.run().success
    first = row_of(synced, "contacts", impartner_id=number)
    synced.sandbox.mutate("set_contact", contact=taker, fields={"email": first["email"]})
    synced.advance(hours=1)
    assert synced.run().success
    holder = row_of(synced, "contacts", email=first["email"])
    assert (holder["impartner_id"], row_of(synced, "contacts", id=first["id"])["is_active"]) == (taker, False)
    synced.advance(hours=4)
    synced.sandbox.mutate("delete_contact", contact=taker)
    before = row_of(synced, "partners", id=first["partner_id"])["total_npcu"]
    result = synced.run("enrollments_incremental")
    assert result.success, result.errors
    assert row_of(synced, "contacts", id=holder["id"])["is_active"]
    assert row_of(synced, "partners", id=first["partner_id"])["total_npcu"] == before > 0
    synced.advance(hours=4)
    assert synced.run().success
    assert row_of(synced, "contacts", email=first["email"])["impartner_id"] == first["impartner_id"]
    assert differences(synced) == []


def test_an_address_that_moved_hours_before_its_owner_left_keeps_its_row(synced: ChainHarness) -> None:
    """The look that saw the move has nothing to do; the look that sees who left must still know of it."""
    contact = a_contact(synced)
    survivor = int(synced.sandbox.mutate("add_contact", email="other@example.com", account=account_of(synced, contact)))
    assert synced.run("daily_full", assets=("contacts",)).success
    synced.advance(hours=1)
    assert look(synced).success
    synced.sandbox.mutate("set_contact", contact=survivor, fields={"email": contact["email"]})
    synced.advance(hours=4)
    assert look(synced).success
    synced.advance(hours=4)
    synced.sandbox.mutate("delete_contact", contact=contact["impartner_id"])
    assert look(synced).success
    assert row_of(synced, "contacts", id=contact["id"])["is_active"]


def test_an_address_that_somebody_of_another_partner_has_too_leaves_with_its_owner(synced: ChainHarness) -> None:
    contact = a_contact(synced)
    others = [row for row in synced.rows("partners") if row["is_active"] and row["id"] != contact["partner_id"]]
    twin = int(synced.sandbox.mutate("add_contact", email="twin@example.com", account=others[0]["impartner_id"]))
    synced.sandbox.mutate("set_contact", contact=twin, fields={"email": contact["email"]})
    synced.sandbox.mutate("delete_contact", contact=contact["impartner_id"])
    assert look(synced).success
    assert not row_of(synced, "contacts", id=contact["id"])["is_active"]


def test_a_contact_who_moves_to_another_partner_and_then_leaves_is_inactive(synced: ChainHarness) -> None:
    contact = a_contact(synced)
    others = [row for row in synced.rows("partners") if row["is_active"] and row["id"] != contact["partner_id"]]
    moved = {"account_id": others[0]["impartner_id"]}
    synced.sandbox.mutate("set_contact", contact=contact["impartner_id"], fields=moved)
    assert look(synced).success
    assert row_of(synced, "contacts", id=contact["id"])["is_active"], "moves are the nightly chain's"
    synced.advance(hours=4)
    synced.sandbox.mutate("set_contact", contact=contact["impartner_id"], fields={"contact_status": "Terminated"})
    assert look(synced).success
    assert not row_of(synced, "contacts", id=contact["id"])["is_active"]


def test_an_account_that_takes_over_a_deleted_ones_identity_keeps_its_own_row(
    synced: ChainHarness,
) -> None:
    """The account that takes over was a partner before, so an inactive row has its CRM id."""
    old, twin = [row for row in synced.rows("partners") if row["is_active"] and row["salesforce_id"]][:2]
    synced.sandbox.mutate("set_account", account=twin["impartner_id"], fields={"partner_tier": "Pending"})
    assert synced.run("daily_full", assets=("partners",)).success
    assert not row_of(synced, "partners", id=twin["id"])["is_active"]
    synced.advance(hours=4)
    account = synced.sandbox.vendor_state.accounts[old["impartner_id"]]
    fields = {name: getattr(account, name) for name in ("name", "crm_id", "partner_tier", "account_status")}
    synced.sandbox.mutate("set_account", account=twin["impartner_id"], fields=fields)
    synced.sandbox.mutate("delete_account", account=account.id)
    assert look(synced).success
    assert row_of(synced, "partners", id=old["id"])["is_active"]


def test_above_the_deactivation_limit_it_stops_before_any_write_until_allowed(
    synced: ChainHarness,
) -> None:
    active = [row for row in synced.rows("partners") if row["is_active"]]
    for row in active[: len(active) // 2]:
        synced.sandbox.mutate("set_account", account=row["impartner_id"], fields={"partner_tier": "Pending"})
    before = synced.tables()
    stopped = synced.run("enrollments_incremental")
    assert not stopped.success
    assert "active partners would be deactivated" in stopped.errors["crm_deactivations"]
    assert "partner_cert_counts" not in stopped.metadata, "nothing is counted over a state that somebody has to judge"
    after = synced.tables()
    assert (after["partners"], after["contacts"]) == (before["partners"], before["contacts"])
    assert look(synced, allow=("mass_deactivation:partners",)).success
    assert len(active_ids(synced, "partners")) == len(active) - len(active) // 2


def test_before_the_first_full_sync_there_is_nobody_who_could_leave(harness: ChainHarness) -> None:
    result = look(harness)
    assert result.success, result.errors
    assert result.metadata["crm_deactivations"]["looked_since"] == "did not look"


@pytest.mark.parametrize("kind", ["none", "server_error", "cut_short", "ignored_filter", "not_found", "empty_is_404"])
def test_an_id_that_the_crm_wrongly_calls_deleted_stays(synced: ChainHarness, kind: str) -> None:
    """`_deleted` tells of an account that is still there, while the answers by id are disturbed too."""
    partner = a_partner_with_points(synced)
    account = synced.sandbox.vendor_state.accounts[partner["impartner_id"]]
    synced.sandbox.mutate("delete_account", account=account.id)
    synced.sandbox.vendor_state.accounts[account.id] = account
    synced.sandbox.vendor_state.touched("accounts")
    if kind != "none":
        synced.sandbox.faults.add(kind, "GET /Account")
    look(synced)
    assert row_of(synced, "partners", id=partner["id"])["is_active"]


def test_a_run_for_people_of_a_webhook_does_not_wait_for_the_crm(synced: ChainHarness) -> None:
    synced.sandbox.faults.add("server_error", "impartner *")
    result = look(synced, tags={PEOPLE_TAG: "queued"})
    assert result.success, result.errors
    assert result.metadata["crm_deactivations"]["looked_since"] == "did not look"


def test_damaged_answers_about_deletions_make_the_answers_before_them_doubtful(
    synced: ChainHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control records are missing when the deleted are asked for: nobody is deactivated, confirmed or not."""
    first, second = [row for row in synced.rows("partners") if row["is_active"]][:2]
    synced.sandbox.mutate("set_account", account=first["impartner_id"], fields={"partner_tier": "Pending"})
    synced.sandbox.mutate("delete_account", account=second["impartner_id"])
    ask, asked = ImpartnerClient.by_ids, []

    def without_known(self: Any, name: str, ids: Any, fields: Any) -> Any:
        asked.append(name)
        return ask(self, name, ids, fields) if asked.count(name) == 1 else {}

    monkeypatch.setattr(ImpartnerClient, "by_ids", without_known)
    before = active_ids(synced, "partners")
    result = look(synced)
    assert result.success, result.errors
    assert active_ids(synced, "partners") == before
    assert result.metadata["crm_deactivations"]["reading"].startswith("incomplete")
    monkeypatch.undo()
    synced.advance(minutes=30)
    assert look(synced).success
    assert before - active_ids(synced, "partners") == {first["id"], second["id"]}
