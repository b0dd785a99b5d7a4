"""The database goes away, is full, or is somebody else's for a while: the old state or the new, and never a mixture."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from lms_assets.sandbox.server.server import SandboxHandle, running_sandbox
from lms_assets_tests.faults.matrix import change_vendor_state
from lms_assets_tests.harness.agreement import differences
from lms_assets_tests.harness.chain import SMALL, ChainHarness
from lms_assets_tests.harness.checkpoints import after_first_chain
from lms_assets_tests.harness.commands import Commands
from lms_assets_tests.harness.mariadb import MariaDbServer
from lms_assets_tests.harness.waits import LONGEST_SECONDS, comes_about

pytestmark = pytest.mark.slow

# The first write into each of these is in the middle of that asset's transaction.
PHASES = (
    "lms_courses", "course_properties", "partners", "contacts", "lms_users", "lms_groups", "lms_group_members",
    "transcript_staging", "lms_enrollments", "partner_cert_history", "pushed_partner_counts",
)  # fmt: skip


@pytest.fixture
def sandbox() -> Iterator[SandboxHandle]:
    with running_sandbox(SMALL) as running:
        yield running


@contextmanager
def at_first_write(tables: tuple[str, ...], do: Any) -> Iterator[list[str]]:
    """Call `do` just before the first write into each of the tables; gives the tables that came by."""
    seen: list[str] = []

    def look(_: Any, __: Any, statement: str, *___: Any) -> None:
        words = statement.replace("`", "").replace('"', "").split()
        table = words[1] if words[:1] == ["UPDATE"] else words[2] if words[:1] in (["INSERT"], ["DELETE"]) else ""
        if table in tables and table not in seen:
            seen.append(table)
            do()

    event.listen(Engine, "before_cursor_execute", look)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", look)


def test_a_server_that_dies_in_every_write_phase_and_returns_ends_in_the_right_state(
    sandbox: SandboxHandle, tmp_path: Path, mariadb: MariaDbServer, ready_mariadb_url: str
) -> None:
    harness = ChainHarness(tmp_path, sandbox, ready_mariadb_url)

    def die_and_come_back() -> None:
        mariadb.kill()
        mariadb.start()

    with at_first_write(PHASES, die_and_come_back) as seen:
        result = harness.run()
    assert set(seen) == set(PHASES)
    assert result.success, result.errors
    assert differences(harness) == []
    harness.close()


@pytest.mark.parametrize(
    ("asset", "phase"),
    [("enrollments", "lms_enrollments"), pytest.param("partners", "partners", marks=pytest.mark.long)],
)
def test_a_server_that_stays_down_leaves_the_old_state_and_says_so(
    sandbox: SandboxHandle, tmp_path: Path, mariadb: MariaDbServer, ready_mariadb_url: str, asset: str, phase: str
) -> None:
    harness = ChainHarness(tmp_path, sandbox, ready_mariadb_url)
    after_first_chain().restore(harness)
    harness.run("leads_full")
    harness.advance(hours=1)
    change_vendor_state(harness)
    before = harness.tables()[phase]
    try:
        with at_first_write((phase,), mariadb.stop):
            result = harness.run(assets=(asset,))
    finally:
        mariadb.start()
    assert not result.success
    assert any(
        ("warehouse mysql" in text and "run it again" in text) or "check host" in text
        for text in result.errors.values()
    )
    assert harness.tables()[phase] == before
    again = harness.run()
    assert again.success, again.errors
    assert differences(harness) == []
    harness.close()


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A file system in memory with so much room."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root: nothing was tried on one")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"this machine mounts nothing ({done.stderr.strip()}): nothing was tried on a small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_stops_the_chain_with_a_clear_error_and_room_puts_it_right(
    sandbox: SandboxHandle, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(disk, "1m"):
        harness = ChainHarness(tmp_path, sandbox, f"sqlite:///{disk}/warehouse.db")
        result = harness.run()
        assert not result.success
        # Wherever it filled: a step that may keep its last good rows says so beside them.
        said = [*result.errors.values(), *(str(each.get("reason")) for each in result.metadata.values())]
        assert any("disk is full" in text for text in said), said
        with closing(sqlite3.connect(disk / "warehouse.db")) as file:
            assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        again = harness.run()
        assert again.success, again.errors
        assert differences(harness) == []
        harness.close()


def test_a_sqlite_file_that_somebody_else_locks_for_a_moment_is_waited_for(
    sandbox: SandboxHandle, tmp_path: Path
) -> None:
    harness = ChainHarness(tmp_path, sandbox)
    after_first_chain().restore(harness)
    sandbox.mutate("set_course", course=next(iter(sandbox.vendor_state.courses)), fields={"name": "A better name"})
    other = sqlite3.connect(tmp_path / "warehouse.db", check_same_thread=False, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(1.0, lambda: other.execute("ROLLBACK"))
    release.start()
    result = harness.run(assets=("courses",))
    release.join()
    other.close()
    assert result.success, result.errors
    assert "A better name" in {row["name"] for row in harness.rows("lms_courses")}
    assert differences(harness) == []
    harness.close()


def test_a_sqlite_file_that_stays_locked_is_a_clear_error_and_the_old_state(
    sandbox: SandboxHandle, tmp_path: Path
) -> None:
    harness = ChainHarness(tmp_path, sandbox)
    after_first_chain().restore(harness)
    before = harness.tables()
    with closing(sqlite3.connect(tmp_path / "warehouse.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        result = harness.run(assets=("courses",))
        other.execute("ROLLBACK")
    assert "locked by another process" in result.errors["courses"]
    assert harness.tables() == before
    harness.close()


def _elsewhere(harness: ChainHarness, job: str) -> subprocess.Popen[str]:
    """The same job in a process of its own, on the same warehouse."""
    import json

    order = {
        "job": job, "at": 10**9, "now": harness.now.isoformat(), "folder": str(harness.folder), "url": harness.url,
        "northpass": harness.sandbox.northpass_url, "impartner": harness.sandbox.impartner_url,
    }  # fmt: skip
    command = [sys.executable, "-W", "ignore", "-m", "lms_assets_tests.faults.killed_run", json.dumps(order)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    ("kind", "other"),
    [
        ("mariadb", "daily_full"),
        pytest.param("sqlite", "enrollments_incremental", marks=pytest.mark.long),
        pytest.param("mariadb", "enrollments_incremental", marks=pytest.mark.long),
        pytest.param("sqlite", "daily_full", marks=pytest.mark.long),
    ],
)
def test_two_runs_at_once_that_nobody_kept_apart_still_end_in_the_right_state(
    sandbox: SandboxHandle, tmp_path: Path, request: pytest.FixtureRequest, other: str, kind: str
) -> None:
    """Schedules and commands keep them apart; two machines on one database know nothing of each other."""
    url = request.getfixturevalue("ready_mariadb_url") if kind == "mariadb" else f"sqlite:///{tmp_path}/warehouse.db"
    harness = ChainHarness(tmp_path, sandbox, url)
    after_first_chain().restore(harness)
    harness.run("leads_full")
    harness.advance(hours=1)
    change_vendor_state(harness)
    begun = len(harness.rows("sync_logs"))
    beside = _elsewhere(harness, other)
    assert comes_about(lambda: len(harness.rows("sync_logs")) > begun or beside.poll() is not None)
    harness.run()
    _, said = beside.communicate(timeout=LONGEST_SECONDS)
    assert beside.returncode in (0, 1), said[-1500:]
    resolved = harness.run()
    assert resolved.success, resolved.errors
    assert differences(harness) == []
    harness.close()


def test_a_run_that_meets_a_full_disk_has_failed_and_says_what_to_free(sandbox: SandboxHandle, tmp_path: Path) -> None:
    """Exit code 1, not 2: nothing is wrong with the configuration."""
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(disk, "1500k"):
        url = f"sqlite:///{disk}/warehouse.db"
        commands = Commands(tmp_path / "place", sandbox, url, executor="in_process")
        commands.make_tables()
        result = commands.run("run", "daily_full")
        said = result.stdout + result.stderr
        assert result.returncode == 1, said
        assert "the disk is full" in said
        assert "free space" in said
        assert "Traceback" not in said
