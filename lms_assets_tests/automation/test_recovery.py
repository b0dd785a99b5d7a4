"""Killed in one step after another and resumed each time: the same end state as undisturbed, no step done twice."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from lms_assets.lineage import DAILY_FULL, SYNC_TYPES
from lms_assets.sandbox.config import SandboxConfig
from lms_assets.sandbox.server.server import SandboxHandle, running_sandbox
from lms_assets.warehouse.bookkeeping.chain_log import ChainRow, latest_chain
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.schema.tables import sync_logs
from lms_assets_tests.harness.chain import NOW, ChainHarness, data_of
from lms_assets_tests.harness.commands import Commands, kill_all, wait_until

pytestmark = pytest.mark.slow
CONFIG = SandboxConfig(scale=0.005, now=NOW, northpass_rps=0, impartner_rps=0, latency_ms=120)


@pytest.fixture
def sandbox() -> Iterator[SandboxHandle]:
    with running_sandbox(CONFIG) as running:
        yield running


@pytest.fixture
def commands(sandbox: SandboxHandle, quick_folder: Path) -> Commands:
    made = Commands(quick_folder / "killed", sandbox)
    assert made.run("db", "upgrade").returncode == 0
    return made


def chain(warehouse: Warehouse) -> ChainRow | None:
    with warehouse.read() as connection:
        return latest_chain(connection, "daily_full")


def status_of(warehouse: Warehouse, step: str) -> str | None:
    """The step's status in the chain's row; None when it did not begin, or the chain is not running."""
    row = chain(warehouse)
    if row is None or row.status != "running":
        return None
    return next((each["status"] for each in row.steps if each["step"] == step), None)


def completed_steps(warehouse: Warehouse) -> set[str]:
    row = chain(warehouse)
    return {step["step"] for step in row.steps if step["status"] == "completed"} if row else set()


def undisturbed(warehouse: Warehouse, folder: Path) -> ChainHarness:
    """A harness after the same chain, at the same instant, that nobody disturbed."""
    row = chain(warehouse)
    assert row is not None
    assert row.as_of is not None
    with running_sandbox(CONFIG) as untouched:
        harness = ChainHarness(folder, untouched)
        harness.product_now = row.as_of
        assert harness.run().success
    return harness


def completed_syncs(warehouse: Warehouse) -> Counter[str]:
    with warehouse.read() as connection:
        done = connection.execute(select(sync_logs.c.sync_type).where(sync_logs.c.status == "completed"))
        return Counter(done.scalars())


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(("memberships", "partner_cert_counts"), id="two"),
        pytest.param(tuple(DAILY_FULL), id="each", marks=pytest.mark.long),
    ],
)
def test_killed_in_one_step_after_another_and_resumed_each_time(
    commands: Commands, quick_folder: Path, steps: tuple[str, ...]
):
    warehouse = Warehouse(commands.url)
    killed: list[str] = []
    resume: tuple[str, ...] = ()
    for step in steps:
        if step in completed_steps(warehouse):
            continue
        process = commands.start("run", "daily_full", *resume)
        assert wait_until(lambda wanted=step: status_of(warehouse, wanted) in {"running", "completed"}, process)
        killed += [step] if status_of(warehouse, step) == "running" else []
        kill_all(process)
        resume = ("--resume",)
    final = commands.run("run", "daily_full", *resume)
    assert final.returncode == 0, final.stdout + final.stderr
    assert len(killed) >= max(1, len(steps) - 2), f"only caught in {killed}"
    row = chain(warehouse)
    assert row is not None
    assert row.status == "completed"
    assert {step["step"]: step["status"] for step in row.steps} == dict.fromkeys(DAILY_FULL, "completed")
    harness = undisturbed(warehouse, quick_folder)
    assert data_of(warehouse) == data_of(harness.warehouse)
    done = completed_syncs(warehouse)
    # Killed between its last write and saying so, a step is done once more; one in ten would be bad luck already.
    assert sum(done.values()) <= len(done) + 1, done
    assert set(done) >= {SYNC_TYPES[step] for step in DAILY_FULL}
    harness.close()
    warehouse.close()


def test_a_step_that_outlives_its_run_stops_before_it_writes(commands: Commands, quick_folder: Path):
    """Only the run's own process is killed: its steps live on, and must not be taken for part of the chain."""
    warehouse = Warehouse(commands.url)
    process = commands.start("run", "daily_full")
    assert wait_until(lambda: status_of(warehouse, "memberships") == "running", process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(60)
    resumed = commands.run("run", "daily_full", "--resume")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert "✓ memberships" in resumed.stdout, "it never came through, so it is done again"
    harness = undisturbed(warehouse, quick_folder)
    assert data_of(warehouse) == data_of(harness.warehouse)
    harness.close()
    warehouse.close()
