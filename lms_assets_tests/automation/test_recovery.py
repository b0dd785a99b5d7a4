"""Killed and resumed: the same end state as undisturbed, no step done twice, nobody read twice."""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import select

from lms_assets.assets.tier_3_enrollments.people_to_read import current_partner_users
from lms_assets.domain.rules import Rules
from lms_assets.lineage import DAILY_FULL, SYNC_TYPES
from lms_assets.sandbox.config import SandboxConfig
from lms_assets.sandbox.server.server import SandboxHandle, running_sandbox
from lms_assets.warehouse.bookkeeping.chain_log import ChainRow, latest_chain
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.reading.withheld import came_since
from lms_assets.warehouse.schema.tables import sync_logs
from lms_assets.warehouse.state.transcripts import staging_times
from lms_assets_tests.harness.chain import NOW, ChainHarness, data_of
from lms_assets_tests.harness.commands import Commands, kill_all, wait_until

pytestmark = pytest.mark.slow
CONFIG = SandboxConfig(scale=0.005, now=NOW, northpass_rps=0, impartner_rps=0)
# Enough that a step is caught in its middle.
UNHURRIED = replace(CONFIG, latency_ms=120)


@pytest.fixture
def sandbox() -> Iterator[SandboxHandle]:
    """It answers at once but for members of groups and transcripts, so that these steps are caught in the middle."""
    with running_sandbox(CONFIG) as running:
        running.faults.add("slow", "GET /groups/{id}/memberships", seconds=0.3)
        running.faults.add("slow", "GET /transcripts/*", seconds=0.3)
        yield running


@pytest.fixture
def commands(sandbox: SandboxHandle, quick_folder: Path) -> Commands:
    return commands_for(sandbox, quick_folder)


def commands_for(sandbox: SandboxHandle, folder: Path) -> Commands:
    made = Commands(folder / "killed", sandbox)
    made.make_tables()
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


def kept(warehouse: Warehouse) -> set[str]:
    """People whose transcript is kept for the chain's next attempt: not who came to a partner after being read."""
    row = chain(warehouse)
    assert row is not None
    assert row.run_id is not None
    with warehouse.read() as connection:
        read_at = staging_times(connection, row.run_id)
        return set(read_at) - came_since(connection, Rules(), read_at)


def refuse_differences(warehouse: Warehouse, folder: Path) -> None:
    """All steps are done, none twice, and the rows are those of a chain that nobody disturbed."""
    row = chain(warehouse)
    assert row is not None
    assert row.status == "completed"
    assert {step["step"]: step["status"] for step in row.steps} == dict.fromkeys(DAILY_FULL, "completed")
    harness = undisturbed(warehouse, folder)
    assert data_of(warehouse) == data_of(harness.warehouse)
    harness.close()


def refuse_repetitions(warehouse: Warehouse) -> None:
    done = completed_syncs(warehouse)
    # Killed between its last write and saying so, a step is done once more; one in ten would be bad luck already.
    assert sum(done.values()) <= len(done) + 1, done
    assert set(done) >= {SYNC_TYPES[step] for step in DAILY_FULL}


def test_a_lost_run_process_and_a_killed_machine_are_resumed_where_they_were(
    sandbox: SandboxHandle, commands: Commands, quick_folder: Path
):
    """First only the run's own process: its steps live on, and must not be taken for part of the chain. Then all."""
    warehouse = Warehouse(commands.url)
    process = commands.start("run", "daily_full")
    assert wait_until(lambda: status_of(warehouse, "memberships") == "running", process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(60)
    process = commands.start("run", "daily_full", "--resume")

    def in_the_middle() -> bool:
        return status_of(warehouse, "enrollments") == "running" and len(kept(warehouse)) >= 50

    assert wait_until(in_the_middle, process)
    kill_all(process)
    said = (commands.folder / "started.log").read_text(encoding="utf-8")
    assert "✓ memberships" in said, "it never came through, so it is done again"
    before = kept(warehouse)
    told = commands.run("status")
    assert told.returncode == 1
    assert "enrollments: the process ended without a result (killed, or the machine stopped)" in told.stdout
    assert re.search(r"partner_cert_counts: blocked by .*enrollments", told.stdout)
    with dg.DagsterInstance.from_config(str(commands.home)) as instance:
        waited_for = {run.tags["dagster/will_retry"] for run in instance.get_runs()}
    assert waited_for == {"false"}, "no daemon can, so nobody is to wait for it with an alert"
    sandbox.faults.reset()
    sandbox.reset_stats()
    resumed = commands.run("run", "daily_full", "--resume")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert not re.search(r"^✓ courses\b", resumed.stdout, re.MULTILINE), "a step that was done is not done again"
    asked = {call["path"].rpartition("/")[2] for call in sandbox.calls() if "/transcripts/" in call["path"]}
    with warehouse.read() as connection:
        everybody = current_partner_users(connection)
    assert not asked & before, "read twice"
    assert asked | before >= everybody
    after = commands.run("status")
    assert after.returncode == 0, after.stdout
    refuse_repetitions(warehouse)
    refuse_differences(warehouse, quick_folder)
    warehouse.close()


@pytest.mark.long
@pytest.mark.parametrize(
    ("steps", "again"),
    [
        pytest.param(tuple(DAILY_FULL), ("--resume",), id="each-resumed"),
        pytest.param(("memberships", "pushed_partner_cert_counts"), (), id="two-run-again"),
    ],
)
def test_killed_in_one_step_after_another(quick_folder: Path, steps: tuple[str, ...], again: tuple[str, ...]):
    with running_sandbox(UNHURRIED) as sandbox:
        commands = commands_for(sandbox, quick_folder)
        warehouse = Warehouse(commands.url)
        killed: list[str] = []
        words: tuple[str, ...] = ()
        for step in steps:
            if again and step in completed_steps(warehouse):
                continue
            process = commands.start("run", "daily_full", *words)
            assert wait_until(lambda wanted=step: status_of(warehouse, wanted) in {"running", "completed"}, process)
            killed += [step] if status_of(warehouse, step) == "running" else []
            kill_all(process)
            words = again
        final = commands.run("run", "daily_full", *words)
        assert final.returncode == 0, final.stdout + final.stderr
        assert len(killed) >= max(1, len(steps) - 2), f"only caught in {killed}"
        refuse_differences(warehouse, quick_folder)
        if again:
            refuse_repetitions(warehouse)
        warehouse.close()
