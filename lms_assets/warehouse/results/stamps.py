"""Noting when something that other rows rest on changed: called before the rows are written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table

from lms_assets.warehouse.upsert.compare import Fitter, chunks, stored_rows
from lms_assets.warehouse.upsert.upsert import update_existing

__all__ = ["stamp_changes"]


def stamp_changes(
    connection: Connection,
    table: Table,
    rows: Iterable[Mapping[str, Any]],
    *,
    watched: Sequence[str],
    column: str,
    now: datetime,
    key: str = "id",
) -> None:
    """Set `column` to `now` on the stored rows of which a watched column is about to change.

    Args:
        rows: what will be written, found by `key`; rows without a key, or not stored, are passed over.
    """
    fitter = Fitter(table, (key, *watched), (key,))
    for part in chunks(row for row in rows if row[key] is not None):
        fitted = [fitter.fit({name: row[name] for name in (key, *watched)}).values for row in part]
        stored = stored_rows(connection, table, [(row[key],) for row in fitted], (key,), watched)
        changed = [
            row[key]
            for row in fitted
            if stored.get((row[key],), now_is := tuple(row[name] for name in watched)) != now_is
        ]
        update_existing(connection, table, ({key: each, column: now} for each in changed), key=(key,), now=now)
