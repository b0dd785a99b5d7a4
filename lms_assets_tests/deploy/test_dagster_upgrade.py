"""Dagster's minor upgrade: what the version before left is read, named by preflight, migrated, and gone on with."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lms_assets.sandbox.config import SandboxConfig
from lms_assets.sandbox.server.server import running_sandbox
from lms_assets_tests.automation.production import mysql_variables
from lms_assets_tests.deploy.test_package import TOOLS, run
from lms_assets_tests.harness.commands import ROOT, Commands

pytestmark = [pytest.mark.slow, pytest.mark.long]

# The first of the minor version before: Dagster changed its tables within it.
BEFORE = ("dagster==1.12.0", "dagster-mysql==0.28.0")
# A week's run with an asset and its check, one that failed, and a schedule that is on.
USED_BEFORE = """
import dagster as dg

weeks = dg.WeeklyPartitionsDefinition(start_date="2026-01-05", day_offset=1)

@dg.asset(partitions_def=weeks)
def enrollments(): ...

@dg.asset_check(asset=enrollments)
def enrollments_are_there():
    return dg.AssetCheckResult(passed=True)

@dg.asset
def broken():
    raise ValueError("on purpose")

nightly = dg.ScheduleDefinition(name="nightly", cron_schedule="0 2 * * *", target=broken)
defs = dg.Definitions([enrollments, broken], asset_checks=[enrollments_are_there], schedules=[nightly])

if __name__ == "__main__":
    with dg.DagsterInstance.get() as instance:
        dg.materialize([enrollments, enrollments_are_there], instance=instance, partition_key="2026-01-05")
        dg.materialize([broken], instance=instance, raise_on_error=False)
"""
# Asked by both versions.
REMEMBERED = """
import json
import dagster as dg

with dg.DagsterInstance.get() as instance:
    key = dg.AssetKey("enrollments")
    check = dg.AssetCheckKey(key, "enrollments_are_there")
    (found,) = instance.event_log_storage.get_latest_asset_check_execution_by_key([check]).values()
    print(json.dumps({
        "runs": sorted((run.run_id, run.status.value, sorted(run.tags.items())) for run in instance.get_runs()),
        "events": {run.run_id: len(instance.all_logs(run.run_id)) for run in instance.get_runs()},
        "weeks": sorted(instance.get_materialized_partitions(key)),
        "check": found.status.value,
        "schedules": sorted((each.instigator_name, each.status.value) for each in instance.all_instigator_state()),
    }, sort_keys=True))
"""


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with Dagster as it was."""
    folder = tmp_path_factory.mktemp("before")
    run(TOOLS / "uv", "venv", "--quiet", "--python", sys.executable, folder / "venv", cwd=folder)
    run(TOOLS / "uv", "pip", "install", "--quiet", *BEFORE, cwd=folder, VIRTUAL_ENV=str(folder / "venv"))
    return folder / "venv" / "bin"


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_a_database_of_the_minor_version_before_is_named_migrated_and_used(
    before: Path, tmp_path: Path, request: pytest.FixtureRequest, kind: str
):
    with running_sandbox(SandboxConfig(scale=0.004, seed=3)) as sandbox:
        commands = Commands(tmp_path / "work", sandbox, executor="in_process")
        commands.make_tables()
        ours = commands.home / "dagster.yaml"
        if kind == "mariadb":
            commands.environment |= mysql_variables(request.getfixturevalue("mariadb_url"))
            ours.write_text((ROOT / "dagster.yaml").read_text(encoding="utf-8"), encoding="utf-8")
        theirs = used_by_the_version_before(before, commands, kind)
        assert [status for _, status, _ in theirs["runs"]].count("SUCCESS") == 1
        assert theirs["schedules"] == [["nightly", "RUNNING"]]

        assert remembered(TOOLS, commands) == theirs, "read before it is migrated"
        told = commands.run("preflight")
        assert told.returncode == 2
        assert "dagster instance migrate" in told.stdout

        run(TOOLS / "dagster", "instance", "migrate", cwd=commands.folder, **commands.environment)

        assert remembered(TOOLS, commands) == theirs
        told = commands.run("preflight")
        assert told.returncode == 0, told.stdout
        chain = commands.run("run", "daily_full")
        assert chain.returncode == 0, chain.stdout + chain.stderr


def used_by_the_version_before(programs: Path, commands: Commands, kind: str) -> Mapping[str, Any]:
    """Work with Dagster as it was on the place where ours keeps its state; gives what it remembers."""
    ours = commands.home / "dagster.yaml"
    kept = ours.read_text(encoding="utf-8")
    names = ("username", "password", "hostname", "db_name", "port")
    variables = ("USERNAME", "PASSWORD", "HOST", "DB", "PORT")
    login = {name: {"env": f"DAGSTER_MYSQL_{each}"} for name, each in zip(names, variables, strict=True)}
    ours.write_text(json.dumps({"storage": {"mysql": {"mysql_db": login}}}) if kind == "mariadb" else "{}")
    program = commands.folder / "before.py"
    program.write_text(USED_BEFORE, encoding="utf-8")
    run(programs / "python", program, cwd=commands.folder, **commands.environment)
    run(
        programs / "dagster", "schedule", "start", "-f", program, "nightly", cwd=commands.folder, **commands.environment
    )
    found = remembered(programs, commands)
    ours.write_text(kept, encoding="utf-8")
    return found


def remembered(programs: Path, commands: Commands) -> Mapping[str, Any]:
    """What Dagster's state says to the version of these programs."""
    asked: subprocess.CompletedProcess[str] = run(
        programs / "python", "-c", REMEMBERED, cwd=commands.folder, **commands.environment
    )
    found: Mapping[str, Any] = json.loads(asked.stdout)
    return found
