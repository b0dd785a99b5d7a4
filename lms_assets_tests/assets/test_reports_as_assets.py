"""The reports as Dagster runs them: behind their gate, as files without a mail server."""

from __future__ import annotations

from lms_assets_tests.support.chain import ChainRig


def test_reports_are_held_back_before_anything_was_counted(rig: ChainRig) -> None:
    result = rig.run("weekly_reports")
    assert not result.success
    assert "no counts exist yet" in result.errors["pam_weekly_report"]
    assert not (rig.folder / "reports").exists()


def test_without_a_mail_server_both_reports_are_written_as_files(synced: ChainRig) -> None:
    result = synced.run("weekly_reports")
    assert result.success, result.errors
    suffixes = sorted(path.suffix for path in (synced.folder / "reports").rglob("*") if path.is_file())
    assert ".eml" in suffixes
    assert ".html" in suffixes
    preview = result.metadata["executive_weekly_report"]["preview"]
    assert "NPCU" in preview


def test_a_preview_in_dagster_names_no_person(synced: ChainRig) -> None:
    result = synced.run("weekly_reports")
    names = {f"{row['first_name']} {row['last_name']}" for row in synced.rows("lms_users") if row["first_name"]}
    for asset in ("pam_weekly_report", "executive_weekly_report"):
        shown = str(result.metadata[asset])
        assert not [name for name in names if len(name) > 6 and name in shown]


def test_old_counts_are_held_back_until_a_person_releases_them(synced: ChainRig) -> None:
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
