"""Leads: what changed by day, everything on Sundays; whatever is removed is confirmed first."""

from __future__ import annotations

from lms_assets_tests.automation.rig import WatchedRig


def stored(rig: WatchedRig) -> dict[int, dict[str, object]]:
    return {row["impartner_id"]: row for row in rig.rows("leads")}


def with_partner(rig: WatchedRig) -> set[int]:
    return {
        number
        for number, lead in rig.sandbox.world.leads.items()
        if lead.partner_account_id is not None and not lead.is_converted
    }


def ready(rig: WatchedRig) -> None:
    assert rig.run().success
    assert rig.run("leads_full").success
    rig.advance(hours=6)


def counted(rig: WatchedRig) -> dict[int, int]:
    found: dict[int, int] = {}
    for lead in rig.rows("leads"):
        if lead["partner_id"] is not None:
            found[lead["partner_id"]] = found.get(lead["partner_id"], 0) + 1
    return found


def counts_agree(rig: WatchedRig) -> bool:
    shown = {row["id"]: row["lead_count"] for row in rig.rows("partners") if row["lead_count"]}
    return shown == counted(rig)


def test_a_full_sync_holds_the_leads_with_a_partner_and_counts_them(rig: WatchedRig):
    ready(rig)
    assert set(stored(rig)) == with_partner(rig)
    assert counted(rig)
    assert counts_agree(rig)


def test_an_incremental_sync_reads_what_changed_and_what_was_deleted(rig: WatchedRig):
    ready(rig)
    account = next(row["impartner_id"] for row in rig.rows("partners") if row["is_active"] and row["impartner_id"])
    new = rig.sandbox.mutate("add_lead", email="lead@example.com", account=account)
    changed, gone, orphaned = sorted(with_partner(rig) - {new})[:3]
    rig.sandbox.mutate("set_lead", lead=changed, fields={"Title": "Director"})
    rig.sandbox.mutate("delete_lead", lead=gone)
    rig.sandbox.mutate("set_lead", lead=orphaned, fields={"PartnerAccountId": None})
    rig.sandbox.mutate("add_lead", email="nobody@example.com")
    rig.sandbox.reset_stats()
    result = rig.run("leads_incremental")
    assert result.success
    rows = stored(rig)
    assert set(rows) == with_partner(rig)
    assert rows[changed]["title"] == "Director"
    assert counts_agree(rig)
    # Two lists, each with a second look at its end, the deletions, and two questions by id.
    assert rig.sandbox.stats()["impartner"]["calls"] <= 7


def test_what_an_incremental_sync_has_read_takes_effect_at_once(rig: WatchedRig):
    """Conversions, lost partners, and the name of a status that no lead's change tells of."""
    ready(rig)
    converted, orphaned, *others = sorted(with_partner(rig))
    rig.sandbox.mutate("convert_lead", lead=converted)
    rig.sandbox.mutate("set_lead", lead=orphaned, fields={"PartnerAccountId": None})
    status = next(row["status_id"] for row in rig.rows("leads") if row["impartner_id"] in others and row["status_id"])
    rig.sandbox.mutate("rename_lead_status", status=status, name="Renamed")
    assert rig.run("leads_incremental").success
    assert set(stored(rig)) == with_partner(rig)
    assert {row["status_name"] for row in rig.rows("leads") if row["status_id"] == status} == {"Renamed"}
    assert counts_agree(rig)
    before = rig.rows("leads")
    assert rig.run("leads_full").success
    assert rig.rows("leads") == before


def test_a_lead_that_reads_as_converted_once_stays(rig: WatchedRig):
    """Damaged in the listing and right when asked for by id: a bad answer costs nobody a lead."""
    ready(rig)
    first = sorted(with_partner(rig))[0]
    rig.sandbox.mutate("set_lead", lead=first, fields={"Title": "Director"})
    rig.sandbox.faults.add("wrong_type", "GET /Lead", first=2, field="isConverted", value=True)
    rig.run("leads_incremental")
    assert first in stored(rig)


def test_answers_by_id_that_show_nobody_remove_no_lead(rig: WatchedRig):
    """A lead is missing in the listing, and asked for by id the CRM answers with nothing at all."""
    ready(rig)
    before = set(stored(rig))
    lead = sorted(with_partner(rig))[0]
    rig.sandbox.mutate("set_lead", lead=lead, fields={"PartnerAccountId": None})
    # The list, and what follows its last row; then every question by id is empty.
    rig.sandbox.faults.add("cut_short", "GET /Lead", after=2, keep=0)
    result = rig.run("leads_full")
    assert set(stored(rig)) == before
    assert result.success is False or "leads_listing_was_complete" in result.red


def test_a_listing_that_ends_early_removes_nobody(rig: WatchedRig):
    ready(rig)
    before = set(stored(rig))
    rig.sandbox.faults.add("cut_short", "GET /Lead")
    result = rig.run("leads_full")
    assert set(stored(rig)) == before
    assert result.success is False or "leads_listing_was_complete" in result.red


def test_a_deletion_that_the_record_itself_denies_is_not_believed(rig: WatchedRig):
    """The log of deletions names a lead that answers when asked for: it stays."""
    ready(rig)
    alive = sorted(with_partner(rig))[0]
    lead = rig.sandbox.world.leads[alive]
    rig.sandbox.mutate("delete_lead", lead=alive)
    rig.sandbox.world.leads[alive] = lead
    rig.sandbox.world.touched("leads")
    assert rig.run("leads_incremental").success
    assert alive in stored(rig)


def test_too_many_leads_gone_at_once_stop_the_sync(rig: WatchedRig):
    ready(rig)
    before = set(stored(rig))
    for lead in sorted(with_partner(rig))[:15]:
        rig.sandbox.mutate("delete_lead", lead=lead)
    result = rig.run("leads_full")
    assert not result.success
    assert "lms-assets run leads_full --allow mass_deactivation:leads" in result.errors["leads"]
    assert set(stored(rig)) == before
    assert rig.run("leads_full", allow=("mass_deactivation:leads",)).success
    assert set(stored(rig)) == with_partner(rig)


def test_a_filter_that_the_server_ignores_brings_no_lead_without_partner(rig: WatchedRig):
    rig.sandbox.faults.add("ignored_filter", "GET /Lead")
    assert rig.run().success
    assert rig.run("leads_full").success
    assert set(stored(rig)) == with_partner(rig)
