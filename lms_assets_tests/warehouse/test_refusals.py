"""Read-only, full, unreachable, no database at all, a wrong address: named, and nothing written."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import make_url

from lms_assets.warehouse.engine import Warehouse, parse_url
from lms_assets.warehouse.errors import (
    AccessDenied,
    DatabaseFull,
    ReadOnlyWarehouse,
    SchemaNotCurrent,
    WarehouseError,
    WarehouseUnreachable,
)
from lms_assets.warehouse.schema import tables as t
from lms_assets.warehouse.upsert.upsert import upsert
from lms_assets_tests.harness.mariadb import PASSWORD
from lms_assets_tests.warehouse.engine_helpers import ROWS, user_count


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


def test_a_read_only_server_is_named_as_such_before_anything_is_written(mariadb, ready_mariadb_url):
    url = make_url(ready_mariadb_url)
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
