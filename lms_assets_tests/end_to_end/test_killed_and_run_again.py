"""Killed at any moment, then run again: the same end state as a chain that nobody disturbed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import select

from lms_assets.assets.tier_3_enrollments.people_to_read import current_partner_users
from lms_assets.sandbox.config import SandboxConfig
from lms_assets.sandbox.server.server import SandboxHandle, running_sandbox
from lms_assets.warehouse.bookkeeping.chain_log import latest_chain
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.schema.tables import transcript_staging
from lms_assets_tests.harness.chain import NOW, ChainHarness, data_of
from lms_assets_tests.harness.commands import Commands, kill_all, wait_until

pytestmark = pytest.mark.slow

# A little latency, so that a step lasts long enough to be hit in its middle.
CONFIG = SandboxConfig(scale=0.005, now=NOW, northpass_rps=0, impartner_rps=0, latency_ms=15)
# Resumed: automation/test_recovery.py; run again after a kill at any write: faults/test_chaos.py.
STEPS_TO_KILL = ("memberships", "pushed_partner_cert_counts")


@pytest.fixture
def sandbox() -> Iterator[SandboxHandle]:
    with running_sandbox(CONFIG) as running:
        yield running


def current_step(warehouse: Warehouse) -> str | None:
    with warehouse.read() as connection:
        row = latest_chain(connection, "daily_full")
    return row.current_step if row and row.status == "running" else None


def _as_of(warehouse: Warehouse) -> datetime:
    with warehouse.read() as connection:
        row = latest_chain(connection, "daily_full")
    assert row is not None
    assert row.as_of is not None
    return row.as_of


@pytest.mark.long
def test_killed_in_one_step_after_the_other_and_run_again(sandbox: SandboxHandle, quick_folder: Path):
    commands = Commands(quick_folder / "killed", sandbox)
    assert commands.run("db", "upgrade").returncode == 0
    warehouse = Warehouse(commands.url)
    killed = []
    for step in STEPS_TO_KILL:
        process = commands.start("run", "daily_full")
        if wait_until(lambda wanted=step: current_step(warehouse) == wanted, process):
            killed.append(step)
            kill_all(process)
    final = commands.run("run", "daily_full")
    assert final.returncode == 0, final.stdout + final.stderr
    assert "memberships" in killed, f"only killed in {killed}"
    same_instant = _as_of(warehouse)
    with running_sandbox(CONFIG) as untouched:
        harness = ChainHarness(quick_folder, untouched)
        harness.product_now = same_instant
        assert harness.run().success
        assert data_of(warehouse) == data_of(harness.warehouse)
        assert sandbox.vendor_state.state()["accounts"] == untouched.vendor_state.state()["accounts"]
        harness.close()
    warehouse.close()


def test_killed_among_the_transcripts_it_says_so_and_resumed_reads_only_the_rest(
    sandbox: SandboxHandle, quick_folder: Path
):
    commands = Commands(quick_folder / "killed", sandbox)
    assert commands.run("db", "upgrade").returncode == 0
    warehouse = Warehouse(commands.url)
    slow = sandbox.faults.add("slow", "GET /transcripts/*", seconds=0.3)
    process = commands.start("run", "daily_full")
    assert wait_until(lambda: len(_kept(warehouse)) >= 50, process)
    kill_all(process)
    kept = _kept(warehouse)
    told = commands.run("status")
    assert told.returncode == 1
    assert "failed" in told.stdout
    assert "enrollments: the process ended without a result (killed, or the machine stopped)" in told.stdout
    assert re.search(r"partner_cert_counts: blocked by .*enrollments", told.stdout)
    with dg.DagsterInstance.from_config(str(commands.home)) as instance:
        (run,) = instance.get_runs()
    assert run.tags["dagster/will_retry"] == "false", "no daemon can, so nobody is to wait for it with an alert"
    sandbox.faults.remove(slow)
    sandbox.reset_stats()
    resumed = commands.run("run", "daily_full", "--resume")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert not re.search(r"^✓ courses\b", resumed.stdout, re.MULTILINE), "a step that was done is not done again"
    asked = {call["path"].rpartition("/")[2] for call in sandbox.calls() if "/transcripts/" in call["path"]}
    with warehouse.read() as connection:
        everybody = current_partner_users(connection)
    warehouse.close()
    assert not asked & kept, "read twice"
    assert asked | kept >= everybody
    after = commands.run("status")
    assert after.returncode == 0, after.stdout


def _kept(warehouse: Warehouse) -> set[str]:
    """People whose transcript is kept for the chain's next attempt."""
    with warehouse.read() as connection:
        return set(connection.execute(select(transcript_staging.c.person_id)).scalars())
