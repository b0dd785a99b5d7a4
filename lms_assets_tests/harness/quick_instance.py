"""A Dagster instance in memory for whole chains in process: the same rows as Dagster's own, in fewer statements.

Dagster's own spends half of a small chain's time on bookkeeping: it stamps a migration at each start, opens a
connection and asks for the table's columns at each event, and in process it plans every check for every week. A run
that the daemon launches has one planned row a check, as here.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import dagster as dg

from lms_assets_tests.harness import dagster_internals

_EVENTS = dagster_internals.events_in_memory
_TABLE = dagster_internals.EVENT_TABLE

BATCHES = {"DAGSTER_EVENT_BATCH_SIZE": "1000"}
"""Has Dagster hand over the events of one range of weeks together."""
QUICK_EVENTS = {"event_log_storage": {"module": __name__, "class": "QuickEvents"}}
"""What `dagster.yaml` would say to use them in an instance that keeps the rest on disk."""


class QuickEvents(_EVENTS.InMemoryEventLogStorage):
    """The log of events of one instance, written by the thread that made it on one connection."""

    def __init__(self, inst_data: Any = None, preload: Any = None) -> None:
        with mock.patch.object(_EVENTS, "stamp_alembic_rev"):
            super().__init__(inst_data, preload)
        self._thread = threading.get_ident()

    @contextmanager
    def _connect(self) -> Iterator[Any]:
        if threading.get_ident() == self._thread:
            with self._db_lock, self._held_conn.begin():
                yield self._held_conn
        else:
            with super()._connect() as connection:
                yield connection

    def saved(self) -> bytes:
        """A copy of all events, for `restore`."""
        copied: bytes = self._held_conn.connection.dbapi_connection.serialize()
        return copied

    def restore(self, saved: bytes) -> None:
        """Hold these events and no other."""
        with closing(sqlite3.connect(":memory:")) as copy:
            copy.deserialize(saved)
            copy.backup(self._held_conn.connection.dbapi_connection)
            self._storage_id = copy.execute(f"SELECT max(id) FROM {_TABLE.name}").fetchone()[0] or 0

    def has_table(self, table_name: str) -> bool:
        """Every one: they were all made a moment ago."""
        return True

    def _has_asset_key_col_on_connection(self, conn: Any, column_name: str) -> bool:
        return True

    def store_event_batch(self, events: Sequence[Any]) -> None:
        """Store events of assets and plans of checks; as if one by one, though only each asset's last is looked up."""
        if any(self._handlers.values()):
            super().store_event_batch(events)
            return
        with self._connect() as connection:
            first = 1 + (connection.execute(_EVENTS.db.select(_EVENTS.db.func.max(_TABLE.c.id))).scalar() or 0)
            rows = [{"id": number, **self._event_to_row(event)} for number, event in enumerate(events, first)]
            connection.execute(_TABLE.insert(), rows)
            newest: dict[tuple[Any, Any], tuple[Any, int]] = {}
            for number, event in enumerate(events, first):
                found = event.get_dagster_event()
                newest[found.event_type, found.asset_key or number] = (event, number)
            for event, number in newest.values():
                self._store_asset_event(connection, event, number)
            self._store_asset_event_tags(connection, events, range(first, first + len(events)))
        self._storage_id += len(events)
        for number, event in enumerate(events, first):
            if event.dagster_event_type in dagster_internals.ASSET_CHECK_EVENTS:
                self.store_asset_check_event(event, number)

    def _store_asset_check_evaluation_planned(self, event: Any, event_id: int | None) -> None:
        found = event.get_dagster_event()
        whole = dagster_internals.copy_record(found.event_specific_data, partitions_subset=None)
        event = event._replace(dagster_event=found._replace(event_specific_data=whole))
        super()._store_asset_check_evaluation_planned(event, event_id)


def quick_instance(folder: Path) -> dg.DagsterInstance:
    """An instance in memory; `folder` is for what steps leave as files. Use it with `BATCHES` in the environment."""
    with (
        mock.patch.object(dagster_internals.runs_in_memory, "stamp_alembic_rev"),
        mock.patch.object(dagster_internals.event_log, "InMemoryEventLogStorage", QuickEvents),
    ):
        return dg.DagsterInstance.ephemeral(tempdir=str(folder))
