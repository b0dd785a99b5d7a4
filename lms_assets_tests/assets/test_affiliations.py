"""Two contacts of the CRM with one address at two partners: the person counts for both."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from lms_assets.console.commands.why import why_lines
from lms_assets.console.partner_question import WhyOptions, find_answer
from lms_assets.domain.rules import Rules
from lms_assets_tests.assets.queries import row_of
from lms_assets_tests.harness.agreement import differences, links_taken_over
from lms_assets_tests.harness.chain import ChainHarness
from lms_assets_tests.oracle import expected
from lms_assets_tests.oracle.table_differences import differences_in_partners

pytestmark = pytest.mark.slow

CASE = "contacts_share_email_both_kept"


def of_case(harness: ChainHarness) -> tuple[int, int, str]:
    """CRM ids of the contact that counts further and of the one that has the row; their person."""
    first, second, person = harness.sandbox.vendor_state.cases[CASE]
    return int(first), int(second), str(person)


def wrong_counts(harness: ChainHarness) -> list[str]:
    """Partners whose counts in the portal are not the oracle's."""
    right = expected(harness.sandbox.vendor_state, harness.now, links_taken_over(harness))
    return differences_in_partners(harness.rows("partners"), right)


def test_both_partners_have_the_person_and_why_says_through_which_contact(synced: ChainHarness) -> None:
    further, holder, person = of_case(synced)
    partner = row_of(synced, "partners", impartner_id=synced.sandbox.vendor_state.users[further].account_id)
    contact = row_of(synced, "contacts", impartner_id=holder)
    (affiliation,) = [row for row in synced.rows("contact_affiliations") if row["impartner_id"] == further]
    assert (affiliation["contact_id"], affiliation["partner_id"]) == (contact["id"], partner["id"])
    assert contact["partner_id"] != partner["id"]
    assert contact["lms_user_id"] == person
    # A further contact is no new row of `contacts`.
    assert row_of(synced, "sync_logs", sync_type="impartner_contacts")["records_created"] == len(
        synced.rows("contacts")
    )
    assert synced.run("push_to_impartner").success
    assert differences(synced) == []
    options = WhyOptions(str(partner["id"]))
    answer = find_answer(synced.warehouse, options, rules=Rules(), now=synced.now)
    console = Console(record=True, width=220, file=io.StringIO())
    for line in why_lines(answer):
        console.print(line, highlight=False)
    assert f"CRM contact {further} (further contact with the same e-mail address)" in console.export_text()


@pytest.mark.parametrize(
    "change",
    [
        "deleted",
        "moved to the other's partner",
        pytest.param("inactive", marks=pytest.mark.long),
        pytest.param("of a partner that is out", marks=pytest.mark.long),
    ],
)
def test_an_affiliation_that_is_over_no_longer_counts(synced: ChainHarness, change: str) -> None:
    further, holder, _ = of_case(synced)
    users = synced.sandbox.vendor_state.users
    if change == "deleted":
        synced.sandbox.mutate("delete_contact", contact=further)
    else:
        fields = {
            "inactive": {"contact_status": "Inactive"},
            "moved to the other's partner": {"account_id": users[holder].account_id},
            "of a partner that is out": {"account_id": None, "account_name": None},
        }[change]
        synced.sandbox.mutate("set_contact", contact=further, fields=fields)
    result = synced.run()
    assert result.success, result.errors
    assert further not in {row["impartner_id"] for row in synced.rows("contact_affiliations")}
    assert differences(synced) == []


def test_whoever_leaves_the_crm_is_followed_by_the_incremental(synced: ChainHarness) -> None:
    further, _, _ = of_case(synced)
    synced.sandbox.mutate("delete_contact", contact=further)
    assert synced.run("enrollments_incremental").success
    assert further not in {row["impartner_id"] for row in synced.rows("contact_affiliations")}
    assert wrong_counts(synced) == []


def test_the_other_contact_keeps_its_person_when_the_one_with_the_row_leaves(synced: ChainHarness) -> None:
    """Within hours, and in the night, when the row is handed over."""
    _, holder, _ = of_case(synced)
    synced.sandbox.mutate("delete_contact", contact=holder)
    assert synced.run("enrollments_incremental").success
    assert wrong_counts(synced) == []
    synced.advance(hours=4)
    assert synced.run().success
    assert differences(synced) == []


def test_a_list_that_ends_early_or_a_damaged_record_takes_no_affiliation_away(synced: ChainHarness) -> None:
    before = synced.rows("contact_affiliations")
    assert before
    faults = synced.sandbox.faults
    for arm in (
        lambda: faults.add("cut_short", "GET /User", keep=0),
        lambda: faults.add("null_field", "GET /User", first=1, field="accountId", row=_place(synced)),
        lambda: faults.add("null_field", "GET /User", field="id", row=_place(synced)),
    ):
        arm()
        synced.run(assets=("contacts",), alone=True)
        faults.reset()
        assert synced.rows("contact_affiliations") == before


def _place(harness: ChainHarness) -> int:
    """Where the further contact stands on the page."""
    return list(harness.sandbox.vendor_state.users).index(of_case(harness)[0])
