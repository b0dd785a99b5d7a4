"""A portal whose tables are latin1 is adopted, and a chain stores every row that the vendors have in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from lms_assets.lineage import ENTRIES
from lms_assets.sandbox.server.server import running_sandbox
from lms_assets_tests.harness.agreement import differences
from lms_assets_tests.harness.chain import SMALL, ChainHarness
from lms_assets_tests.harness.old_portal import LATIN1, NAMES, make_old_portal

pytestmark = pytest.mark.slow

# Archived courses join the table with their points, after `courses` has counted it.
TABLES = {"course_npcu": "lms_courses", "partners": "partners", "contacts": "contacts", "users": "lms_users",
          "groups": "lms_groups", "memberships": "lms_group_members", "enrollments": "lms_enrollments"}  # fmt: skip


def empty(url: str) -> None:
    engine = create_engine(make_url(url).set(drivername="mysql+pymysql"))
    with engine.begin() as connection:
        connection.execute(text("SET FOREIGN_KEY_CHECKS = 0"))
        for name in NAMES:
            connection.execute(text(f"DELETE FROM {name}"))
    engine.dispose()


def test_names_of_every_script_and_addresses_that_look_alike_are_all_stored(tmp_path: Path, mariadb_url: str) -> None:
    make_old_portal(mariadb_url, LATIN1)
    empty(mariadb_url)
    with running_sandbox(SMALL) as sandbox:
        harness = ChainHarness(tmp_path, sandbox, mariadb_url)
        accounts = list(sandbox.sandbox.vendor_state.accounts)[:2]
        for account, name in zip(accounts, ("jose", "josé"), strict=True):
            sandbox.mutate("add_contact", email=f"{name}@partner.example.org", account=account)
            sandbox.mutate("add_person", email=f"{name}@partner.example.org")
        for group in list(sandbox.sandbox.vendor_state.groups)[:3]:
            sandbox.mutate("rename_group", group=group, name=f"ptr_株式会社 {group[:4]} 🚀")

        result = harness.run()

        assert result.success, result.errors
        assert not {name for name in result.red if name.endswith("_were_all_stored")}
        assert differences(harness) == []
        emails = [row["email"] for row in harness.rows("contacts")]
        assert {"jose@partner.example.org", "josé@partner.example.org"} <= set(emails)
        assert sum("株式会社" in row["name"] for row in harness.rows("lms_groups")) >= 3
        for asset, table in TABLES.items():
            assert asset in ENTRIES
            assert result.metadata[asset]["dagster/row_count"] == len(harness.rows(table)), asset
        harness.close()
