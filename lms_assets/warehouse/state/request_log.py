"""What all machines that use a vendor's key know of its requests, in the database that they share.

One at a time has it, by a named lock of the server that ends with its connection; times are the server's, so that the
machines' clocks may differ. No rule stands here: `vendors/transport/rate_limit.py` decides.
"""

from __future__ import annotations

import json
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.errors import WarehouseError
from lms_assets.warehouse.state.write_lock import lock_name

__all__ = ["WarehouseRequestLog"]

if TYPE_CHECKING:
    Numbers = tuple[array[int], int, int]

SILENT_SECONDS = 30
"""A machine that falls silent while it has the log keeps the others waiting for so long."""
LOOK_AGAIN_SECONDS = 1.0

_LOCK = text("SELECT GET_LOCK(:lock, :seconds)")
_READ = text(
    "SELECT CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS SIGNED), (SELECT value FROM sync_state WHERE name = :name)"
)
_KEEP = text(
    "INSERT INTO sync_state (name, value, updated_at) VALUES (:name, :value, UTC_TIMESTAMP()) "
    "ON DUPLICATE KEY UPDATE value = VALUES(value), updated_at = VALUES(updated_at)"
)
_FREE = text("DO RELEASE_LOCK(:lock)")


class WarehouseRequestLog:
    """One row of `sync_state` on a MySQL or MariaDB server, and a connection of its own. For one thread at a time."""

    def __init__(self, warehouse: Warehouse, name: str) -> None:
        self._warehouse = warehouse
        self._name = name
        self._lock = lock_name(warehouse, name)
        self._connection: Connection | None = None

    @contextmanager
    def open(self, longest_wait: float) -> Iterator[Numbers]:
        """See `vendors.transport.rate_limit.RequestLog`.

        Raises:
            TimeoutError: others had it for `longest_wait` seconds, or the database was away as long.
        """
        connection, opened = self._locked(time.monotonic() + longest_wait)
        numbers = opened[0]
        before = numbers.tobytes()
        try:
            yield opened
        finally:
            # A server that goes away now has let go of the lock; what was sent is sent.
            try:
                if numbers.tobytes() != before:
                    value = json.dumps(numbers.tolist(), separators=(",", ":"))
                    connection.execute(_KEEP, {"name": self._name, "value": value})
                connection.execute(_FREE, {"lock": self._lock})
            except SQLAlchemyError:
                self._close()

    def _locked(self, give_up_at: float) -> tuple[Connection, Numbers]:
        while True:
            was_connected = self._connection is not None
            try:
                connection = self._connection = self._connection or self._connected()
                left = max(0.0, give_up_at - time.monotonic())
                if connection.execute(_LOCK, {"lock": self._lock, "seconds": left}).scalar() == 1:
                    return connection, self._read(connection)
            except (SQLAlchemyError, WarehouseError):
                self._close()
                if not was_connected:
                    time.sleep(min(LOOK_AGAIN_SECONDS, max(0.0, give_up_at - time.monotonic())))
            if time.monotonic() >= give_up_at:
                raise TimeoutError

    def _read(self, connection: Connection) -> Numbers:
        asked = time.monotonic_ns() // 1000
        now, value = connection.execute(_READ, {"name": self._name}).one()
        answered = time.monotonic_ns() // 1000
        numbers = array("q", [0, 0])
        with suppress(ValueError, TypeError, OverflowError):
            numbers = array("q", json.loads(value))
        return numbers, int(now) - answered, answered - asked

    def _connected(self) -> Connection:
        connection = self._warehouse.own_connection()
        connection.execute(text("SET SESSION wait_timeout = :seconds"), {"seconds": SILENT_SECONDS})
        return connection

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.close()
