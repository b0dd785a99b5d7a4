"""A record that cannot be read is set aside, named once, and over when it is corrected; too many stop the sync."""

from __future__ import annotations

from typing import Any

import pytest

from lms_assets.warehouse.schema.tables import contacts, partners
from lms_assets_tests.assets.queries import row_of, sample_of, the_state
from lms_assets_tests.harness.agreement import differences
from lms_assets_tests.harness.chain import ChainHarness

pytestmark = pytest.mark.slow

ODD = [
    ("users", "GET /people", {"field": "attributes.disabled", "row": 4}),
    ("groups", "GET /groups", {"field": "attributes.name", "row": 4}),
    ("contacts", "GET /User", {"field": "accountId", "row": 4}),
    ("partners", "GET /Account", {"field": "name", "row": 30}),
    ("courses", "GET /courses", {"field": "id", "row": 4}),
    ("course_npcu", "GET /properties/courses", {"field": "attributes.properties", "row": 4, "value": "2"}),
]


def open_failures(harness: ChainHarness, before: set[int]) -> list[dict[str, Any]]:
    """Failures that are not from before and not resolved."""
    return [row for row in harness.rows("sync_failures") if row["id"] not in before and row["resolved_at"] is None]


@pytest.mark.parametrize(("asset", "endpoint", "options"), ODD, ids=[each[0] for each in ODD])
def test_it_is_named_once_and_resolved_when_it_is_corrected(
    synced: ChainHarness, asset: str, endpoint: str, options: dict[str, Any]
) -> None:
    before, known = the_state(synced), {row["id"] for row in synced.rows("sync_failures")}
    synced.sandbox.faults.add("wrong_type", endpoint, options=options)
    told = []
    for _ in range(2):
        assert synced.run(assets=(asset,)).success
        told.append(open_failures(synced, known))
        assert the_state(synced) == before
        synced.advance(hours=1)
    assert told[0] == told[1]
    assert all(row["failure_reason"] for row in told[0])
    # One on each page of the list.
    assert len({row["entity_id"] for row in told[0]}) == len(told[0]) in (1, 2)
    synced.sandbox.faults.reset()
    assert synced.run(assets=(asset,)).success
    assert open_failures(synced, known) == []
    assert row_of(synced, "sync_failures", id=told[0][0]["id"])["resolution_action"]


def test_more_than_the_set_share_stop_the_sync_before_it_writes(synced: ChainHarness) -> None:
    before = synced.tables()
    for person in list(synced.sandbox.vendor_state.people)[:12]:
        synced.sandbox.mutate("set_person", person=person, fields={"disabled": {"odd": True}})
    synced.sandbox.mutate(
        "rename_person", person=list(synced.sandbox.vendor_state.people)[20], first_name="A", last_name="B"
    )
    result = synced.run(assets=("users",))
    assert "records could not be read, more than the" in result.errors["users"]
    assert synced.tables() == before


def test_duplicate_emails_are_their_own_finding_and_never_unreadable_records(synced: ChainHarness) -> None:
    """However many: they are readable, so they do not stop the sync as unreadable records do."""
    for contact in [row for row in synced.rows("contacts") if row["is_active"]][:12]:
        synced.sandbox.mutate("add_contact", email=contact["email"], account=None)
    result = synced.run(assets=("contacts",))
    assert result.success, result.errors
    assert "contact_emails_are_unique" in result.red
    assert "contacts_are_all_readable" not in result.red
    duplicates = result.metadata["contacts"]["duplicate_emails"]
    assert duplicates >= 12
    assert result.metadata["contacts"]["bad_records"] == 0
    assert [row["records_failed"] for row in synced.rows("sync_logs") if row["sync_type"] == "impartner_contacts"][
        -1:
    ] == [0]


def test_an_unreadable_contact_keeps_its_row_though_another_has_its_address(synced: ChainHarness) -> None:
    """A new contact of another partner has it: the row is not handed over on a record that nobody could read."""
    contact = min((row for row in synced.rows("contacts") if row["impartner_id"]), key=lambda row: row["impartner_id"])
    place = sorted(synced.sandbox.vendor_state.users).index(contact["impartner_id"])
    others = [row for row in synced.rows("partners") if row["is_active"] and row["id"] != contact["partner_id"]]
    # The fault hits the same place of every page, so the new one must not be first on a page.
    synced.sandbox.mutate("add_contact", email="first@example.com", account=None)
    newer = synced.sandbox.mutate("add_contact", email=contact["email"], account=others[0]["impartner_id"])
    synced.sandbox.faults.add("wrong_type", "GET /User", options={"field": "accountId", "row": place})
    result = synced.run(assets=("contacts",))
    assert result.success, result.errors
    row = row_of(synced, "contacts", id=contact["id"])
    assert (row["is_active"], row["partner_id"]) == (contact["is_active"], contact["partner_id"])
    assert (row["email"], row["impartner_id"]) == (contact["email"], contact["impartner_id"])
    assert any(text.startswith(f"contact {newer}:") for text in sample_of(result, "contact_emails_are_unique"))


def test_an_account_that_a_portal_holds_twice_goes_from_both_rows(synced: ChainHarness) -> None:
    """An adopted portal may; a check reports it."""
    twin = next(row for row in synced.rows("partners") if row["is_active"] and not row["total_npcu"])
    copy = {name: value for name, value in twin.items() if name != "id"} | {"account_name": "The same once more"}
    with synced.warehouse.transaction() as connection:
        connection.execute(partners.insert().values(copy))
    assert "partner_crm_ids_are_unique" in synced.run(assets=("partners",)).red
    synced.sandbox.mutate("delete_account", account=twin["impartner_id"])
    assert synced.run(assets=("partners",)).success
    rows = [row for row in synced.rows("partners") if row["impartner_id"] == twin["impartner_id"]]
    assert [row["is_active"] for row in rows] == [False, False]


def test_rows_that_the_portal_made_without_a_crm_id_are_left_alone(synced: ChainHarness) -> None:
    with synced.warehouse.transaction() as connection:
        connection.execute(partners.insert().values(account_name="Made by hand", is_active=True))
        connection.execute(contacts.insert().values(email="by-hand@example.com", is_active=True))
    result = synced.run()
    assert result.success, result.errors
    assert row_of(synced, "partners", account_name="Made by hand")["is_active"]
    assert row_of(synced, "contacts", email="by-hand@example.com")["is_active"]
    assert "partners_have_crm_ids" in result.red


def test_of_two_contacts_with_one_address_the_other_takes_over_when_one_goes(
    synced: ChainHarness,
) -> None:
    account = next(row["impartner_id"] for row in synced.rows("partners") if row["is_active"])
    for _ in range(2):
        synced.sandbox.mutate("add_contact", email="both@example.com", account=account)
    assert synced.run().success
    first = row_of(synced, "contacts", email="both@example.com")
    assert differences(synced) == []
    synced.sandbox.mutate("delete_contact", contact=first["impartner_id"])
    assert synced.run().success
    second = row_of(synced, "contacts", email="both@example.com")
    assert second["is_active"]
    assert second["impartner_id"] != first["impartner_id"]
    assert differences(synced) == []
