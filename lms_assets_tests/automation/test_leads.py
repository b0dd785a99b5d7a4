"""Leads: what changed by day, everything on Sundays; whatever is removed is confirmed first."""

from __future__ import annotations

from lms_assets_tests.automation.daemon_harness import DaemonHarness


def stored(harness: DaemonHarness) -> dict[int, dict[str, object]]:
    return {row["impartner_id"]: row for row in harness.rows("leads")}


def with_partner(harness: DaemonHarness) -> set[int]:
    return {
        number
        for number, lead in harness.sandbox.vendor_state.leads.items()
        if lead.partner_account_id is not None and not lead.is_converted
    }


def ready(harness: DaemonHarness) -> None:
    harness.be_after("daily_full", "leads_full")
    harness.advance(hours=6)


def counted(harness: DaemonHarness) -> dict[int, int]:
    found: dict[int, int] = {}
    for lead in harness.rows("leads"):
        if lead["partner_id"] is not None:
            found[lead["partner_id"]] = found.get(lead["partner_id"], 0) + 1
    return found


def counts_agree(harness: DaemonHarness) -> bool:
    shown = {row["id"]: row["lead_count"] for row in harness.rows("partners") if row["lead_count"]}
    return shown == counted(harness)


def test_a_full_sync_holds_the_leads_with_a_partner_and_counts_them(harness: DaemonHarness):
    ready(harness)
    assert set(stored(harness)) == with_partner(harness)
    assert counted(harness)
    assert counts_agree(harness)


def test_an_incremental_sync_reads_what_changed_and_what_was_deleted(harness: DaemonHarness):
    ready(harness)
    account = next(row["impartner_id"] for row in harness.rows("partners") if row["is_active"] and row["impartner_id"])
    new = harness.sandbox.mutate("add_lead", email="lead@example.com", account=account)
    changed, gone, orphaned = sorted(with_partner(harness) - {new})[:3]
    harness.sandbox.mutate("set_lead", lead=changed, fields={"Title": "Director"})
    harness.sandbox.mutate("delete_lead", lead=gone)
    harness.sandbox.mutate("set_lead", lead=orphaned, fields={"PartnerAccountId": None})
    harness.sandbox.mutate("add_lead", email="nobody@example.com")
    harness.sandbox.reset_stats()
    result = harness.run("leads_incremental")
    assert result.success
    rows = stored(harness)
    assert set(rows) == with_partner(harness)
    assert rows[changed]["title"] == "Director"
    assert counts_agree(harness)
    # Two lists, each with a second look at its end, the deletions, and two questions by id.
    assert harness.sandbox.stats()["impartner"]["calls"] <= 7


def test_what_an_incremental_sync_has_read_takes_effect_at_once(harness: DaemonHarness):
    """Conversions, lost partners, and the name of a status that no lead's change tells of."""
    ready(harness)
    converted, orphaned, *others = sorted(with_partner(harness))
    harness.sandbox.mutate("convert_lead", lead=converted)
    harness.sandbox.mutate("set_lead", lead=orphaned, fields={"PartnerAccountId": None})
    status = next(
        row["status_id"] for row in harness.rows("leads") if row["impartner_id"] in others and row["status_id"]
    )
    harness.sandbox.mutate("rename_lead_status", status=status, name="Renamed")
    assert harness.run("leads_incremental").success
    assert set(stored(harness)) == with_partner(harness)
    assert {row["status_name"] for row in harness.rows("leads") if row["status_id"] == status} == {"Renamed"}
    assert counts_agree(harness)
    before = harness.rows("leads")
    assert harness.run("leads_full").success
    assert harness.rows("leads") == before


def test_a_lead_that_reads_as_converted_once_stays(harness: DaemonHarness):
    """Damaged in the listing and right when asked for by id: a bad answer costs nobody a lead."""
    ready(harness)
    first = sorted(with_partner(harness))[0]
    harness.sandbox.mutate("set_lead", lead=first, fields={"Title": "Director"})
    harness.sandbox.faults.add("wrong_type", "GET /Lead", first=2, field="isConverted", value=True)
    harness.run("leads_incremental")
    assert first in stored(harness)


def test_answers_by_id_that_show_nobody_remove_no_lead(harness: DaemonHarness):
    """A lead is missing in the listing, and asked for by id the CRM answers with nothing at all."""
    ready(harness)
    before = set(stored(harness))
    lead = sorted(with_partner(harness))[0]
    harness.sandbox.mutate("set_lead", lead=lead, fields={"PartnerAccountId": None})
    # The list, and what follows its last row; then every question by id is empty.
    harness.sandbox.faults.add("cut_short", "GET /Lead", after=2, keep=0)
    result = harness.run("leads_full")
    assert set(stored(harness)) == before
    assert result.success is False or "leads_listing_was_complete" in result.red


def test_a_listing_that_ends_early_removes_nobody(harness: DaemonHarness):
    ready(harness)
    before = set(stored(harness))
    harness.sandbox.faults.add("cut_short", "GET /Lead")
    result = harness.run("leads_full")
    assert set(stored(harness)) == before
    assert result.success is False or "leads_listing_was_complete" in result.red


def test_a_deletion_that_the_record_itself_denies_is_not_believed(harness: DaemonHarness):
    """The log of deletions names a lead that answers when asked for: it stays."""
    ready(harness)
    alive = sorted(with_partner(harness))[0]
    lead = harness.sandbox.vendor_state.leads[alive]
    harness.sandbox.mutate("delete_lead", lead=alive)
    harness.sandbox.vendor_state.leads[alive] = lead
    harness.sandbox.vendor_state.touched("leads")
    assert harness.run("leads_incremental").success
    assert alive in stored(harness)


def test_too_many_leads_gone_at_once_stop_the_sync(harness: DaemonHarness):
    ready(harness)
    before = set(stored(harness))
    for lead in sorted(with_partner(harness))[:15]:
        harness.sandbox.mutate("delete_lead", lead=lead)
    result = harness.run("leads_full")
    assert not result.success
    assert "lms-assets run leads_full --allow mass_deactivation:leads" in result.errors["leads"]
    assert set(stored(harness)) == before
    assert harness.run("leads_full", allow=("mass_deactivation:leads",)).success
    assert set(stored(harness)) == with_partner(harness)


def test_a_filter_that_the_server_ignores_brings_no_lead_without_partner(harness: DaemonHarness):
    harness.sandbox.faults.add("ignored_filter", "GET /Lead")
    assert harness.run().success
    assert harness.run("leads_full").success
    assert set(stored(harness)) == with_partner(harness)
