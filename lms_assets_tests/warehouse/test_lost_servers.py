"""The server dies, shuts down or lets go of a connection: the old state or the new, and a clear error."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest
from sqlalchemy import Connection, text

from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.errors import ConnectionLost, WarehouseUnreachable
from lms_assets.warehouse.schema import tables as t
from lms_assets.warehouse.upsert.upsert import upsert
from lms_assets_tests.harness.mariadb import MariaDbServer
from lms_assets_tests.warehouse.engine_helpers import ROWS, on_retry, user_count


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


def test_a_server_that_dies_in_the_middle_and_comes_back_ends_in_the_new_state(mariadb, ready_mariadb_url, now):
    warehouse = Warehouse(ready_mariadb_url)
    with on_retry(mariadb.start):
        warehouse.in_transaction(sync_while_the_server_dies(mariadb, now))
    assert user_count(warehouse) == len(ROWS)
    warehouse.close()


def test_a_server_that_dies_and_stays_down_leaves_the_old_state_and_a_clear_error(mariadb, ready_mariadb_url, now):
    warehouse = Warehouse(ready_mariadb_url)
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


def test_an_ordered_shutdown_of_the_server_is_a_lost_connection_too(mariadb, ready_mariadb_url, now):
    warehouse = Warehouse(ready_mariadb_url)

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


def test_a_connection_that_the_server_closed_while_idle_is_replaced_unnoticed(mariadb, ready_mariadb_url, now):
    warehouse = Warehouse(ready_mariadb_url)
    with warehouse.read() as connection:
        number = connection.execute(text("SELECT CONNECTION_ID()")).scalar_one()
    mariadb.execute(f"KILL {number}")
    assert user_count(warehouse) == 0
    warehouse.close()
