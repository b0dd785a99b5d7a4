"""One writer for each concurrency group, on both kinds of database, over processes; it ends with its holder."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.state import write_lock
from lms_assets.warehouse.state.write_lock import Owner, WriteLock, holder_of, take_lock
from lms_assets_tests.harness.mariadb import MariaDbServer
from lms_assets_tests.harness.waits import comes_about

CHAIN = Owner("aaaaaaaa-1111", "daily_full", "one", datetime(2026, 3, 2, 2, tzinfo=UTC).isoformat())
OTHER = Owner("bbbbbbbb-2222", "push_to_impartner", "two", datetime(2026, 3, 2, 3, tzinfo=UTC).isoformat())
HOLD_UNTIL_KILLED = """
import sys, time
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.state.write_lock import Owner, take_lock
lock = take_lock(Warehouse(sys.argv[1]), "learning", Owner(*sys.argv[2:]))
print("held" if lock else "taken", flush=True)
time.sleep(600)
"""


def wait_until(holds: Callable[[], bool]) -> None:
    assert comes_about(holds), "it did not come about"


def url_of(warehouse: Warehouse) -> str:
    return warehouse.engine.url.render_as_string(hide_password=False)


@contextmanager
def holding(warehouse: Warehouse, before: str = "") -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock; killed at the end."""
    owner = (CHAIN.run_id, CHAIN.job, CHAIN.machine, CHAIN.since)
    command = [sys.executable, "-c", f"{before}\n{HOLD_UNTIL_KILLED}", url_of(warehouse), *owner]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def free_again(warehouse: Warehouse) -> None:
    taken: list[WriteLock | None] = [None]

    def free() -> bool:
        taken[0] = take_lock(warehouse, "learning", OTHER)
        return taken[0] is not None

    wait_until(free)
    assert taken[0] is not None
    taken[0].release()


def test_one_holder_at_a_time_and_who_it_is_can_be_asked(warehouse: Warehouse):
    lock = take_lock(warehouse, "learning", CHAIN)
    assert lock is not None
    assert take_lock(warehouse, "learning", OTHER) is None
    assert holder_of(warehouse, "learning") == CHAIN
    assert str(CHAIN) == "daily_full (run aaaaaaaa on one, since 02:00 UTC)"
    beside = take_lock(warehouse, "leads", OTHER)
    assert beside is not None, "another group is another lock"
    beside.release()
    lock.release()
    assert holder_of(warehouse, "learning") is None
    again = take_lock(warehouse, "learning", OTHER)
    assert again is not None
    again.release()


def test_it_ends_with_its_process_however_that_ends(warehouse: Warehouse):
    with holding(warehouse):
        assert take_lock(warehouse, "learning", OTHER) is None
        assert holder_of(warehouse, "learning") == CHAIN
    free_again(warehouse)


def test_it_ends_with_a_machine_that_falls_silent(ready_mariadb_url: str):
    warehouse = Warehouse(ready_mariadb_url)
    soon = "from lms_assets.warehouse.state import write_lock\nwrite_lock.SILENT_SECONDS = 1"
    with holding(warehouse, soon) as process:
        process.send_signal(signal.SIGSTOP)
        free_again(warehouse)
    warehouse.close()


def test_two_databases_of_one_server_do_not_wait_for_each_other(mariadb: MariaDbServer, ready_mariadb_url: str):
    with mariadb.fresh_database("another_portal") as other_url:
        one, other = Warehouse(ready_mariadb_url), Warehouse(other_url)
        other.upgrade()
        locks = [take_lock(each, "learning", CHAIN) for each in (one, other)]
        assert all(locks)
        for lock in locks:
            assert lock is not None
            lock.release()
        one.close()
        other.close()


def test_a_lost_connection_takes_it_again_unless_somebody_else_has_it(
    ready_mariadb_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(write_lock, "PING_SECONDS", 0.05)
    warehouse = Warehouse(ready_mariadb_url)
    lock = take_lock(warehouse, "learning", CHAIN)
    assert lock is not None
    lost = _kill_holder(warehouse)
    wait_until(lambda: holder_of(warehouse, "learning") == CHAIN and _connection(warehouse) != lost)
    monkeypatch.setattr(write_lock._NamedLock, "take", lambda _self: False)
    _kill_holder(warehouse)
    monkeypatch.undo()
    lock._over.set()
    other = take_lock(warehouse, "learning", OTHER)
    assert other is not None
    assert holder_of(warehouse, "learning") == OTHER
    lock.release()
    assert holder_of(warehouse, "learning") == OTHER, "what is somebody else's is not released"
    other.release()
    warehouse.close()


def _connection(warehouse: Warehouse) -> int | None:
    with warehouse.read() as connection:
        name = write_lock.lock_name(warehouse, "learning")
        return connection.execute(text("SELECT IS_USED_LOCK(:name)"), {"name": name}).scalar()


def _kill_holder(warehouse: Warehouse) -> int | None:
    held = _connection(warehouse)
    with warehouse.own_connection() as connection:
        connection.execute(text(f"KILL {held}"))
    return held
