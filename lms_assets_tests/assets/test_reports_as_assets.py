"""The reports as Dagster runs them: behind their blocking check, as files without a mail server."""

from __future__ import annotations

import dagster as dg
from sqlalchemy import insert

from lms_assets.warehouse.schema import tables as t
from lms_assets_tests.harness.chain import ChainHarness


def test_reports_are_blocked_before_anything_was_counted(harness: ChainHarness) -> None:
    result = harness.run("weekly_reports")
    assert not result.success
    assert "no counts exist yet" in result.errors["pam_weekly_report"]
    assert not (harness.folder / "reports").exists()


def test_without_a_mail_server_both_reports_are_written_as_files(synced: ChainHarness) -> None:
    result = synced.run("weekly_reports")
    assert result.success, result.errors
    suffixes = sorted(path.suffix for path in (synced.folder / "reports").rglob("*") if path.is_file())
    assert ".eml" in suffixes
    assert ".html" in suffixes
    preview = result.metadata["executive_weekly_report"]["preview"]
    assert "NPCU" in preview
    picture = result.metadata["pam_weekly_report"]["first_screen"]
    assert picture.startswith("![First screen of the report](data:image/svg+xml;base64,")


def test_a_preview_in_dagster_names_no_person(synced: ChainHarness) -> None:
    result = synced.run("weekly_reports")
    names = {f"{row['first_name']} {row['last_name']}" for row in synced.rows("lms_users") if row["first_name"]}
    for asset in ("pam_weekly_report", "executive_weekly_report"):
        shown = str(result.metadata[asset])
        assert not [name for name in names if len(name) > 6 and name in shown]


def test_old_counts_are_blocked_until_a_person_releases_them(synced: ChainHarness) -> None:
    synced.advance(hours=40)
    held = synced.run("weekly_reports")
    assert not held.success
    assert "hours old" in held.errors["executive_weekly_report"]
    released = synced.run("weekly_reports", allow=("stale_reports",))
    assert released.success, released.errors
    assert {row["what"] for row in synced.rows("sync_override_uses")} == {"stale_reports"}
    pages = [path.read_text(encoding="utf-8") for path in (synced.folder / "reports").rglob("*.html")]
    assert pages
    assert all("These figures are old" in page for page in pages)
    mails = [path.read_text(encoding="utf-8") for path in (synced.folder / "reports").rglob("*.eml")]
    assert mails
    assert all("Subject: Old figures, as of " in mail for mail in mails)


def test_account_managers_who_can_never_get_a_report_are_named_without_their_names(synced: ChainHarness) -> None:
    owner = next(row["account_owner"] for row in synced.rows("partners") if row["is_active"] and row["account_owner"])
    fine = {"owner_name": f" {owner.upper()} ", "email": "fine@example.com", "report_frequency": "Weekly"}
    managers = [
        fine,
        fine | {"owner_name": owner, "email": "often@example.com", "report_frequency": "Fortnightly"},
        fine | {"owner_name": "Olga Example", "email": "olga@example.com"},
        fine | {"owner_name": f"{owner} ", "email": None},
        fine | {"owner_name": f"{owner}  ", "email": "no address"},
        fine | {"owner_name": "Off Example", "email": None, "email_reports_enabled": False},
        fine | {"owner_name": "Gone Example", "email": None, "is_active_pam": False},
    ]
    recipients = [{"email": "fine@example.com", "is_active": True}, {"email": "none of mine", "is_active": True}]
    with synced.warehouse.transaction() as connection:
        for row in managers:
            enabled = {"is_active_pam": True, "email_reports_enabled": True}
            connection.execute(insert(t.partner_managers).values(enabled | row))
        for recipient in recipients:
            connection.execute(insert(t.executive_report_recipients).values(recipient))
    result = synced.run("weekly_reports")
    assert result.success, result.errors
    evaluated = [each for each in result.events if each.event_type_value == "ASSET_CHECK_EVALUATION"]
    found = {each.event_specific_data.check_name: each.event_specific_data for each in evaluated}
    pam, executive = found["account_managers_are_reached"], found["executives_are_all_reached"]
    assert not pam.passed
    assert pam.severity == dg.AssetCheckSeverity.ERROR
    assert list(pam.metadata["sample"].value) == [
        "pam 2: report_frequency is none of daily, weekly, monthly",
        "pam 3: owner_name is the account_owner of no active partner",
        "pam 4: the address is empty",
        "pam 5: the address is no valid e-mail address; correct it in the portal",
    ]
    assert "partner_managers" in str(pam.metadata["what_to_do"].value)
    assert [*executive.metadata["sample"].value] == [
        "executive 2: the address is no valid e-mail address; correct it in the portal"
    ]
    said = f"{pam} {executive}"
    assert not [name for name in ("Olga", owner, "olga@", "often@") if name in said]
