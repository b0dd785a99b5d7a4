"""Killed at any moment, then run again: the same end state as a chain that nobody disturbed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import dagster as dg
import pytest

from lms_assets.run_tags import AS_OF_TAG
from lms_assets.sandbox.config import SandboxConfig
from lms_assets.sandbox.server import SandboxHandle, running_sandbox
from lms_assets.warehouse.chain_log import latest_chain
from lms_assets.warehouse.engine import Warehouse
from lms_assets_tests.support.chain import NOW, ChainRig, data_of
from lms_assets_tests.support.commands import Commands, kill_all, wait_until

pytestmark = pytest.mark.slow

# A little latency, so that a step lasts long enough to be hit in its middle.
CONFIG = SandboxConfig(scale=0.005, now=NOW, northpass_rps=0, impartner_rps=0, latency_ms=15)
STEPS_TO_KILL = ("contacts", "memberships", "enrollments", "pushed_partner_cert_counts")


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
    assert len(killed) >= 3, f"only killed in {killed}"
    same_instant = {AS_OF_TAG: _as_of(warehouse).isoformat()}
    with running_sandbox(CONFIG) as untouched:
        rig = ChainRig(quick_folder, untouched)
        assert rig.run(tags=same_instant).success
        assert data_of(warehouse) == data_of(rig.warehouse)
        assert sandbox.world.state()["accounts"] == untouched.world.state()["accounts"]
        rig.close()
    warehouse.close()


def test_the_next_run_says_how_the_killed_chain_ended(sandbox: SandboxHandle, quick_folder: Path):
    commands = Commands(quick_folder / "killed", sandbox)
    assert commands.run("db", "upgrade").returncode == 0
    warehouse = Warehouse(commands.url)
    process = commands.start("run", "daily_full")
    assert wait_until(lambda: current_step(warehouse) == "contacts", process)
    kill_all(process)
    told = commands.run("status")
    warehouse.close()
    assert told.returncode == 1
    assert "failed" in told.stdout
    assert "contacts: the process ended without a word (killed, or the machine stopped)" in told.stdout
    assert re.search(r"users: held back by .*contacts", told.stdout)
    with dg.DagsterInstance.from_config(str(commands.home)) as instance:
        (run,) = instance.get_runs()
    assert run.tags["dagster/will_retry"] == "false", "no daemon can, so nobody is to wait for it with an alert"
    resumed = commands.run("run", "daily_full", "--resume")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert not re.search(r"^✓ courses\b", resumed.stdout, re.MULTILINE), "a step that was done is not done again"
    after = commands.run("status")
    assert after.returncode == 0, after.stdout
