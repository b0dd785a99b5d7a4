"""An older backup of the warehouse is put back, Dagster's own state is lost: the next chain sends nothing wrong."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from lms_assets.sandbox.server.server import running_sandbox
from lms_assets_tests.harness.agreement import differences
from lms_assets_tests.harness.chain import SMALL, ChainHarness
from lms_assets_tests.harness.checkpoints import after_first_chain
from lms_assets_tests.harness.mariadb import PASSWORD

pytestmark = pytest.mark.slow


def somebody_with_points(harness: ChainHarness) -> tuple[int, int]:
    """An account whose points came from nobody's edge case, and what the CRM shows of it."""
    pushed = {row["impartner_id"]: row["fields"].get("Total_NPCU__cf") for row in harness.rows("pushed_partner_counts")}
    active = {row["impartner_id"] for row in harness.rows("partners") if row["is_active"]}
    account = max(each for each in active if pushed.get(each))
    return account, pushed[account]


@pytest.mark.parametrize("kind", [pytest.param("sqlite", marks=pytest.mark.long), "mariadb"])
def test_after_a_restore_the_crm_shows_what_is_counted_now(kind: str, request: pytest.FixtureRequest, tmp_path: Path):
    url = request.getfixturevalue("ready_mariadb_url") if kind == "mariadb" else None
    with running_sandbox(SMALL) as sandbox:
        harness = ChainHarness(tmp_path, sandbox, url)
        after_first_chain().restore(harness)
        backup = backed_up(harness, tmp_path)
        account, before = somebody_with_points(harness)
        harness.advance(hours=24)
        # What the CRM shows after the backup is no longer what the backup remembers as confirmed.
        sandbox.mutate("set_account", account=account, fields={"Total_NPCU__cf": before + 5})
        put_back(harness, backup)
        harness.close()
        fresh = tmp_path / "fresh"
        fresh.mkdir()
        harness = ChainHarness(fresh, sandbox, harness.url)
        result = harness.run()
        assert result.success, result.errors
        assert sandbox.sandbox.vendor_state.accounts[account].total_npcu == before
        assert differences(harness) == []
        assert harness.run("push_to_impartner").success
        assert differences(harness) == []
        harness.close()


def backed_up(harness: ChainHarness, folder: Path) -> Path:
    """A backup by the command that the product names."""
    if harness.warehouse.is_sqlite:
        backup = folder / "backup.db"
        shutil.copy(folder / "warehouse.db", backup)
        return backup
    words = shlex.split(harness.warehouse.backup_command.partition(" > ")[0])
    done = subprocess.run(
        [f"-p{PASSWORD}" if word == "-p" else word for word in words], capture_output=True, check=True
    )
    backup = folder / "backup.sql"
    backup.write_bytes(done.stdout)
    return backup


def put_back(harness: ChainHarness, backup: Path) -> None:
    """As `docs/keeping.md` says."""
    if harness.warehouse.is_sqlite:
        harness.warehouse.close()
        shutil.copy(backup, Path(harness.url.removeprefix("sqlite:///")))
        return
    url = harness.warehouse.engine.url
    command = ["mariadb", "-h", str(url.host), "-P", str(url.port), "-u", str(url.username), str(url.database)]
    with backup.open("rb") as file:
        subprocess.run(command, stdin=file, env={**os.environ, "MYSQL_PWD": PASSWORD}, check=True, timeout=300)
