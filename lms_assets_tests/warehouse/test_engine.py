"""Transactions and what goes wrong with a database: killed, locked, gone, full, read-only, unreachable."""

from __future__ import annotations

import pickle
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
import stamina.instrumentation
from sqlalchemy import Connection, event, select, text, update
from sqlalchemy.engine import make_url

from lms_assets.warehouse import tables as t
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.errors import (
    AccessDenied,
    ConnectionLost,
    DatabaseFull,
    LockedByOthers,
    ReadOnlyWarehouse,
    SchemaNotCurrent,
    WarehouseError,
    WarehouseUnreachable,
)
from lms_assets.warehouse.sync import upsert
from lms_assets.warehouse.urls import parse_url
from lms_assets_tests.support.mariadb import PASSWORD, MariaDbServer

ROWS = [{"id": f"u{number}", "email": f"p{number}@example.com"} for number in range(3000)]


def user_count(warehouse: Warehouse) -> int:
    with warehouse.read() as connection:
        return len(connection.execute(select(t.lms_users.c.id)).all())


def address_of(warehouse: Warehouse) -> str:
    return warehouse.engine.url.render_as_string(hide_password=False)


@contextmanager
def on_retry(act: Callable[[], None]) -> Iterator[None]:
    """Do something between a failed attempt and the next."""

    def hook(_details: stamina.instrumentation.RetryDetails) -> None:
        act()

    stamina.instrumentation.set_on_retry_hooks([hook])
    try:
        yield
    finally:
        stamina.instrumentation.set_on_retry_hooks(None)


KILLED = """
import sys
from datetime import UTC, datetime
from lms_assets.warehouse import tables as t
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.sync import deactivate, upsert

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
    impatient = Warehouse(address_of(warehouse), lock_wait_seconds=1)
    with warehouse.transaction() as connection:
        upsert(connection, t.lms_users, ROWS[:3], key=("id",), now=now)
    with (
        locked_by_somebody_else(warehouse),
        pytest.raises(LockedByOthers, match="run it again"),
        impatient.transaction() as connection,
    ):
        rename(connection)
    impatient.close()


def test_a_lock_that_is_let_go_between_attempts_costs_nothing(warehouse, now):
    impatient = Warehouse(address_of(warehouse), lock_wait_seconds=1)
    with warehouse.transaction() as connection:
        upsert(connection, t.lms_users, ROWS[:3], key=("id",), now=now)
    with locked_by_somebody_else(warehouse) as release, on_retry(release):
        impatient.in_transaction(rename)
    with warehouse.read() as connection:
        assert set(connection.execute(select(t.lms_users.c.first_name)).scalars()) == {"ours"}
    impatient.close()


def test_of_two_deadlocked_transactions_one_is_done_again_and_both_are_kept(mariadb_url, now):
    warehouse = Warehouse(mariadb_url)
    warehouse.upgrade()
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
                both_hold_one.wait(timeout=20)
            connection.execute(update(t.lms_users).where(t.lms_users.c.id == second).values({column: "x"}))

        warehouse.in_transaction(work)

    threads = [
        threading.Thread(target=cross, args=("u0", "u1", "first_name")),
        threading.Thread(target=cross, args=("u1", "u0", "last_name")),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert len(attempts) == 3
    with warehouse.read() as connection:
        rows = connection.execute(select(t.lms_users.c.first_name, t.lms_users.c.last_name)).all()
    assert [tuple(row) for row in rows] == [("x", "x"), ("x", "x")]
    warehouse.close()


def sync_while_the_server_dies(mariadb: MariaDbServer, now: datetime) -> Callable[[Connection], None]:
    """Work that loses its server after the first half of its rows, the first time it is done."""
    killed: list[bool] = []

    def work(connection: Connection) -> None:
        upsert(connection, t.lms_users, ROWS[:1500], key=("id",), now=now)
        if not killed:
            killed.append(True)
            mariadb.kill()
        upsert(connection, t.lms_users, ROWS[1500:], key=("id",), now=now)

    return work


def test_a_server_that_dies_in_the_middle_and_comes_back_ends_in_the_new_state(mariadb, mariadb_url, now):
    warehouse = Warehouse(mariadb_url)
    warehouse.upgrade()
    with on_retry(mariadb.start):
        warehouse.in_transaction(sync_while_the_server_dies(mariadb, now))
    assert user_count(warehouse) == len(ROWS)
    warehouse.close()


def test_a_server_that_dies_and_stays_down_leaves_the_old_state_and_a_clear_error(mariadb, mariadb_url, now):
    warehouse = Warehouse(mariadb_url)
    warehouse.upgrade()
    try:
        with pytest.raises((ConnectionLost, WarehouseUnreachable)) as caught:
            warehouse.in_transaction(sync_while_the_server_dies(mariadb, now), attempts=2)
        with pytest.raises(WarehouseUnreachable, match="check host"):
            warehouse.check_reachable()
    finally:
        mariadb.start()
    assert caught.value.transient
    assert user_count(warehouse) == 0
    warehouse.close()


def test_an_ordered_shutdown_of_the_server_is_a_lost_connection_too(mariadb, mariadb_url, now):
    warehouse = Warehouse(mariadb_url)
    warehouse.upgrade()

    def work(connection: Connection) -> None:
        upsert(connection, t.lms_users, ROWS[:10], key=("id",), now=now)
        mariadb.stop()
        upsert(connection, t.lms_users, ROWS[10:20], key=("id",), now=now)

    try:
        with pytest.raises(ConnectionLost):
            warehouse.in_transaction(work, attempts=1)
    finally:
        mariadb.start()
    assert user_count(warehouse) == 0
    warehouse.close()


def test_a_connection_that_the_server_closed_while_idle_is_replaced_unnoticed(mariadb, mariadb_url, now):
    warehouse = Warehouse(mariadb_url)
    warehouse.upgrade()
    with warehouse.read() as connection:
        number = connection.execute(text("SELECT CONNECTION_ID()")).scalar_one()
    mariadb.execute(f"KILL {number}")
    assert user_count(warehouse) == 0
    warehouse.close()


def test_a_read_only_sqlite_file_is_named_as_such_and_can_still_be_read(sqlite_url, now):
    Warehouse(sqlite_url).upgrade()
    path = make_url(sqlite_url).database
    warehouse = Warehouse(f"sqlite:///file:{path}?mode=ro&uri=true")
    assert user_count(warehouse) == 0
    with pytest.raises(ReadOnlyWarehouse, match="permissions"), warehouse.transaction() as connection:
        upsert(connection, t.lms_users, ROWS[:1], key=("id",), now=now)
    with pytest.raises(ReadOnlyWarehouse):
        warehouse.check_writable()


def test_a_read_only_sqlite_file_cannot_be_upgraded_and_stays_as_it_is(tmp_path):
    path = tmp_path / "portal.db"
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE portal_sessions (token TEXT)")
    before = path.read_bytes()
    with pytest.raises(ReadOnlyWarehouse):
        Warehouse(f"sqlite:///file:{path}?mode=ro&uri=true").upgrade()
    assert path.read_bytes() == before


def test_a_path_that_leads_through_a_file_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WarehouseError, match="folder"):
        Warehouse(f"sqlite:///{tmp_path / 'file' / 'warehouse.db'}").upgrade()


def test_a_read_only_server_is_named_as_such_before_anything_is_written(mariadb, mariadb_url):
    Warehouse(mariadb_url).upgrade()
    url = make_url(mariadb_url)
    mariadb.execute(
        "CREATE USER IF NOT EXISTS 'plain'@'127.0.0.1' IDENTIFIED BY 'plain-pass'",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON `{url.database}`.* TO 'plain'@'127.0.0.1'",
        "SET GLOBAL read_only = 1",
    )
    plain = Warehouse(url.set(username="plain", password="plain-pass").render_as_string(hide_password=False))
    try:
        with pytest.raises(ReadOnlyWarehouse):
            plain.check_writable()
        with pytest.raises(ReadOnlyWarehouse), plain.transaction() as connection:
            connection.execute(t.sync_state.delete())
    finally:
        mariadb.execute("SET GLOBAL read_only = 0")
    plain.check_writable()
    with pytest.raises(AccessDenied), plain.transaction() as connection:
        connection.execute(text("CREATE TABLE more (id INTEGER)"))


def test_a_full_disk_leaves_the_old_state_and_says_so(sqlite_url, now):
    warehouse = Warehouse(sqlite_url)
    warehouse.upgrade()
    warehouse.close()
    # A limit on the file's pages gives the same answer as a disk without room.
    event.listen(warehouse.engine, "connect", lambda raw, _record: raw.execute("PRAGMA max_page_count = 1"))
    with pytest.raises(DatabaseFull, match="free space"), warehouse.transaction() as connection:
        upsert(connection, t.lms_users, ROWS, key=("id",), now=now)
    assert user_count(warehouse) == 0


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"password": "wr0ng-secret"}, AccessDenied, "access denied"),
        ({"username": "nobody"}, AccessDenied, "access denied"),
        ({"database": "no_such_database"}, WarehouseError, "does not exist|access denied"),
        ({"port": 1}, WarehouseUnreachable, "cannot be reached"),
        ({"host": "no-such-host.invalid"}, WarehouseUnreachable, "cannot be reached"),
    ],
)
def test_a_wrong_address_says_what_is_wrong_and_shows_no_password(mariadb_url, change, error, words):
    url = make_url(mariadb_url).set(**change)
    warehouse = Warehouse(url.render_as_string(hide_password=False))
    with pytest.raises(error, match=words) as caught:
        warehouse.check_reachable()
    shown = f"{caught.value!r} {caught.value} {warehouse!r} {warehouse.name} {warehouse.engine!r}"
    assert PASSWORD not in shown
    assert "wr0ng-secret" not in shown


def test_a_refused_row_shows_neither_its_values_nor_the_statement(warehouse):
    rows = [{"email": "ada.secret@example.com"}] * 2
    with pytest.raises(WarehouseError) as caught, warehouse.transaction() as connection:
        connection.execute(t.contacts.insert(), rows)
    assert "ada.secret" not in repr(caught.value) + str(caught.value)
    assert caught.value.__cause__ is None


def test_a_missing_sqlite_file_is_not_made_by_looking_for_it(sqlite_url):
    with pytest.raises(SchemaNotCurrent, match="db upgrade"):
        Warehouse(sqlite_url).check_reachable()
    assert not Path(make_url(sqlite_url).database or "").exists()


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to look at" * 50)
    with pytest.raises(WarehouseError, match="no SQLite database"):
        Warehouse(f"sqlite:///{path}").require_current_schema()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "portal",
        "postgresql://u:s3cr3t@h/d",
        "sqlite://",
        "sqlite:///:memory:",
        "mysql://u:s3cr3t@/d",
        "mysql://u:s3cr3t@h",
        "mysql://u:s3cr3t@h:port/d",
    ],
)
def test_an_address_that_cannot_work_is_refused_without_repeating_it(url):
    with pytest.raises(ValueError, match="sqlite:///") as caught:
        parse_url(url)
    assert "s3cr3t" not in repr(caught.value)


@pytest.mark.parametrize("scheme", ["mysql", "mysql+pymysql", "mariadb", "mariadb+pymysql", "mysql+mysqldb"])
def test_any_mysql_address_uses_the_pure_python_driver(scheme):
    assert parse_url(f"{scheme}://u:p@h/d").drivername == "mysql+pymysql"


def test_errors_keep_their_meaning_across_processes():
    error = LockedByOthers("here", "deadlock", "run it again")
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.transient) == (LockedByOthers, str(error), True)
