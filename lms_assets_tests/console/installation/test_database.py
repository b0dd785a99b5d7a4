"""What `lms-assets db upgrade` tells before it changes anything, and what it writes for a DBA."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from typer.testing import CliRunner

from lms_assets.cli import app
from lms_assets_tests.harness.mariadb import PASSWORD
from lms_assets_tests.harness.old_portal import LATIN1, make_old_portal


def changes(plan: str) -> list[str]:
    """The lines that say what an upgrade changes; the server only estimates the rows."""
    return [line for line in plan.splitlines() if line.startswith("  ")]


def test_a_plan_names_rights_rows_and_the_way_back_and_a_file_holds_the_sql(
    installation: Callable[..., Path], mariadb_url: str
):
    make_old_portal(mariadb_url, LATIN1)
    folder = installation(LMS_WAREHOUSE_URL=mariadb_url)
    planned = CliRunner().invoke(app, ["db", "upgrade", "--plan"])
    assert planned.exit_code == 0, planned.output
    said = planned.stdout
    assert "from latin1 to utf8mb4" in said
    assert "Rights needed: SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, DROP, REFERENCES" in said
    assert "Rows in tables that are there: about" in said
    assert "mariadb-dump --single-transaction" in said
    assert "There is no downgrade" in said
    assert PASSWORD not in said

    out = folder / "upgrade.sql"
    written = CliRunner().invoke(app, ["db", "upgrade", "--sql", str(out)])
    assert written.exit_code == 0, written.output
    text = out.read_text(encoding="utf-8")
    assert "Nothing was changed" in written.stdout
    assert text.index("-- change lms_users.email") < text.index("ALTER TABLE lms_users")
    assert PASSWORD not in text
    again = CliRunner().invoke(app, ["db", "upgrade", "--plan"]).stdout
    assert changes(again) == changes(said)


def test_a_sqlite_file_needs_no_dba(installation: Callable[..., Path]):
    folder = installation()
    refused = CliRunner().invoke(app, ["db", "upgrade", "--sql", str(folder / "upgrade.sql")])
    assert refused.exit_code == 2
    assert not (folder / "upgrade.sql").exists()
