"""Transactions: whole or not at all, one instant, bounded waits for what others hold."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, update

from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.errors import LockedByOthers, ReadOnlyWarehouse, WarehouseError
from lms_assets.warehouse.schema import tables as t
from lms_assets.warehouse.upsert.upsert import upsert
from lms_assets_tests.harness.waits import LONGEST_SECONDS
from lms_assets_tests.warehouse.engine_helpers import ROWS, on_retry, user_count


def address_of(warehouse: Warehouse) -> str:
    return warehouse.engine.url.render_as_string(hide_password=False)


KILLED = """
import sys
from datetime import UTC, datetime
from lms_assets.warehouse.schema import tables as t
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.upsert.upsert import deactivate, upsert

now = datetime.now(UTC)
warehouse = Warehouse(sys.argv[1])
with warehouse.transaction() as connection:
    rows = [{"id": f"u{n}", "email": "new@example.com"} for n in range(3000)]
    upsert(connection, t.lms_users, rows, key=("id",), now=now)
    deactivate(connection, t.lms_users, ["u1"], now=now)
    print("written", flush=True)
    sys.stdin.read()
"""


def test_a_process_killed_in_the_middle_of_a_sync_leaves_the_old_state(warehouse, now):
    with warehouse.transaction() as connection:
        upsert(connection, t.lms_users, ROWS[:10], key=("id",), now=now)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, address_of(warehouse)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()

    assert user_count(warehouse) == 10
    with warehouse.transaction() as connection:
        assert upsert(connection, t.lms_users, ROWS[:10], key=("id",), now=now).unchanged == 10


def test_an_error_in_the_middle_of_a_transaction_leaves_nothing_of_it(warehouse, now):
    def work(connection: Connection) -> None:
        upsert(connection, t.lms_users, ROWS, key=("id",), now=now)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        warehouse.in_transaction(work)
    assert user_count(warehouse) == 0


def test_a_reading_transaction_sees_one_instant_and_cannot_write(warehouse, now):
    with warehouse.read() as reading:
        assert reading.execute(select(t.lms_users.c.id)).all() == []
        with warehouse.transaction() as connection:
            upsert(connection, t.lms_users, ROWS[:5], key=("id",), now=now)
        assert reading.execute(select(t.lms_users.c.id)).all() == []
    assert user_count(warehouse) == 5
    with pytest.raises(ReadOnlyWarehouse), warehouse.read() as reading:
        reading.execute(t.lms_users.delete())
    assert user_count(warehouse) == 5


def test_instants_come_back_as_aware_utc_and_naive_ones_are_refused(warehouse, now):
    with warehouse.transaction() as connection:
        upsert(connection, t.lms_users, [{"id": "a", "last_active_at": now}], key=("id",), now=now)
        assert connection.execute(select(t.lms_users.c.last_active_at)).scalar_one() == now
    with pytest.raises(Exception, match="zone"), warehouse.transaction() as connection:
        connection.execute(update(t.lms_users).values(last_active_at=datetime(2026, 1, 1)))


@contextmanager
def locked_by_somebody_else(warehouse: Warehouse) -> Iterator[Callable[[], None]]:
    """Another connection holds a lock on every row; gives a function that lets go."""
    other = Warehouse(address_of(warehouse))
    transaction = other.transaction()
    connection = transaction.__enter__()
    connection.execute(update(t.lms_users).values(first_name="held"))
    released = False

    def release() -> None:
        nonlocal released
        if not released:
            released = True
            transaction.__exit__(None, None, None)

    try:
        yield release
    finally:
        release()
        other.close()


def rename(connection: Connection) -> None:
    connection.execute(update(t.lms_users).values(first_name="ours"))


def test_a_lock_that_somebody_else_keeps_is_a_clear_error_after_a_bounded_wait(warehouse, now):
    quick_to_give_up = Warehouse(address_of(warehouse), lock_wait_seconds=1)
    with warehouse.transaction() as connection:
        upsert(connection, t.lms_users, ROWS[:3], key=("id",), now=now)
    with (
        locked_by_somebody_else(warehouse),
        pytest.raises(LockedByOthers, match="run it again"),
        quick_to_give_up.transaction() as connection,
    ):
        rename(connection)
    quick_to_give_up.close()


def test_a_lock_that_is_let_go_between_attempts_costs_nothing(warehouse, now):
    quick_to_give_up = Warehouse(address_of(warehouse), lock_wait_seconds=1)
    with warehouse.transaction() as connection:
        upsert(connection, t.lms_users, ROWS[:3], key=("id",), now=now)
    with locked_by_somebody_else(warehouse) as release, on_retry(release):
        quick_to_give_up.in_transaction(rename)
    with warehouse.read() as connection:
        assert set(connection.execute(select(t.lms_users.c.first_name)).scalars()) == {"ours"}
    quick_to_give_up.close()


def test_of_two_deadlocked_transactions_one_is_done_again_and_both_are_kept(ready_mariadb_url, now):
    warehouse = Warehouse(ready_mariadb_url)
    with warehouse.transaction() as connection:
        upsert(connection, t.lms_users, ROWS[:2], key=("id",), now=now)
    both_hold_one = threading.Barrier(2)
    attempts: list[str] = []

    def cross(first: str, second: str, name: str) -> None:
        column = t.lms_users.c[name]

        def work(connection: Connection) -> None:
            attempts.append(name)
            connection.execute(update(t.lms_users).where(t.lms_users.c.id == first).values({column: "x"}))
            if attempts.count(name) == 1:
                both_hold_one.wait(timeout=LONGEST_SECONDS)
            connection.execute(update(t.lms_users).where(t.lms_users.c.id == second).values({column: "x"}))

        warehouse.in_transaction(work)

    threads = [
        threading.Thread(target=cross, args=("u0", "u1", "first_name")),
        threading.Thread(target=cross, args=("u1", "u0", "last_name")),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=LONGEST_SECONDS)

    assert len(attempts) == 3
    with warehouse.read() as connection:
        rows = connection.execute(select(t.lms_users.c.first_name, t.lms_users.c.last_name)).all()
    assert [tuple(row) for row in rows] == [("x", "x"), ("x", "x")]
    warehouse.close()


def test_a_refused_row_shows_neither_its_values_nor_the_statement(warehouse):
    rows = [{"email": "ada.secret@example.com"}] * 2
    with pytest.raises(WarehouseError) as caught, warehouse.transaction() as connection:
        connection.execute(t.contacts.insert(), rows)
    assert "ada.secret" not in repr(caught.value) + str(caught.value)
    assert caught.value.__cause__ is None


def test_errors_keep_their_meaning_across_processes():
    error = LockedByOthers("here", "deadlock", "run it again")
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.transient) == (LockedByOthers, str(error), True)
