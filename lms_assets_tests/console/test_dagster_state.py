"""Dagster's own state out of reach: one clear line with what to do, never a traceback."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lms_assets.console.running.dagster_state import DagsterStateLost, dagster_instance
from lms_assets.sandbox.config import SandboxConfig
from lms_assets.sandbox.server.server import running_sandbox
from lms_assets_tests.harness.chain import NOW
from lms_assets_tests.harness.commands import COMMAND, Commands
from lms_assets_tests.harness.environment import ROOT
from lms_assets_tests.harness.mariadb import PASSWORD, USER, MariaDbServer
from lms_assets_tests.harness.waits import LONGEST_SECONDS


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    config = SandboxConfig(scale=0.005, now=NOW, northpass_rps=0, impartner_rps=0)
    with running_sandbox(config) as sandbox:
        made = Commands(tmp_path_factory.mktemp("state") / "place", sandbox, executor="in_process")
        made.make_tables()
        yield made


def only_line(result: subprocess.CompletedProcess[str]) -> str:
    said = result.stdout + result.stderr
    assert "Traceback" not in said
    assert result.returncode == 2, said
    (line,) = [line for line in said.splitlines() if line.startswith("✗")]
    return line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"DAGSTER_MYSQL_PASSWORD": "wrong-pass-4711"}, "check DAGSTER_MYSQL_USERNAME and DAGSTER_MYSQL_PASSWORD"),
        ({"DAGSTER_MYSQL_PORT": "1"}, "check DAGSTER_MYSQL_HOST and DAGSTER_MYSQL_PORT"),
        ({"DAGSTER_MYSQL_DB": "not_there"}, "check DAGSTER_MYSQL_DB"),
    ],
)
def test_a_database_of_dagsters_that_cannot_be_reached_says_what_to_check(
    commands: Commands, tmp_path: Path, mariadb: MariaDbServer, wrong: dict[str, str], said: str
):
    shutil.copyfile(ROOT / "dagster.yaml", tmp_path / "dagster.yaml")
    environment = {
        "DAGSTER_HOME": str(tmp_path),
        "DAGSTER_MYSQL_HOST": "127.0.0.1",
        "DAGSTER_MYSQL_PORT": str(mariadb.port),
        "DAGSTER_MYSQL_DB": "dagster",
        "DAGSTER_MYSQL_USERNAME": USER,
        "DAGSTER_MYSQL_PASSWORD": PASSWORD,
        **wrong,
    }
    line = only_line(commands.run("run", "daily_full", **environment))
    assert said.lower() in line.lower()
    assert "wrong-pass-4711" not in line
    # The last chain stands in the warehouse: it can be read while Dagster's own database is away.
    assert commands.run("status", **environment).returncode == 0


@pytest.mark.slow
def test_a_home_that_cannot_be_written_is_named_before_anything_runs(commands: Commands, tmp_path: Path):
    # Where not even the administrator may write.
    line = only_line(commands.run("run", "daily_full", DAGSTER_HOME="/sys"))
    assert "DAGSTER_HOME /sys cannot be used: it cannot be written" in line
    line = only_line(commands.run("run", "daily_full", DAGSTER_HOME=str(tmp_path / "nowhere")))
    assert "is no folder" in line


@pytest.mark.slow
def test_a_home_on_a_full_disk_is_named_before_anything_runs(commands: Commands):
    # No file may grow beyond 4 KB: what a write to a full disk meets. Python would leave bytecode of that length, too.
    result = subprocess.run(
        ["/bin/sh", "-c", f"ulimit -f 8; exec {COMMAND} run daily_full"],
        env={**commands.environment, "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=commands.folder,
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )
    assert "the disk is full: make room on it" in only_line(result)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (sqlite3.OperationalError("database or disk is full"), "make room"),
        (sqlite3.OperationalError("attempt to write a readonly database"), "cannot be written"),
        (OSError(28, "No space left on device"), "make room"),
    ],
)
def test_a_disk_that_fills_up_during_a_run_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with pytest.raises(DagsterStateLost, match=said), dagster_instance():
        raise error


def test_any_other_error_stays_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with pytest.raises(ValueError, match="connection refused"), dagster_instance():
        raise ValueError("the vendor said: connection refused")
