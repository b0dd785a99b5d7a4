"""Noting when something that other rows rest on changed: called before the rows are written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table

from lms_assets.warehouse.fitting import Fitter
from lms_assets.warehouse.sync import update_existing
from lms_assets.warehouse.sync_plan import chunks, stored_rows

__all__ = ["stamp_changes"]


def stamp_changes(
    connection: Connection,
    table: Table,
    rows: Iterable[Mapping[str, Any]],
    *,
    watched: Sequence[str],
    column: str,
    now: datetime,
) -> None:
    """Set `column` to `now` on the stored rows of which a watched column is about to change.

    Args:
        rows: what will be written, found by `id`; rows without an id, or not stored, are passed over.
    """
    fitter = Fitter(table, ("id", *watched), ("id",))
    for part in chunks(row for row in rows if row["id"] is not None):
        fitted = [fitter.fit({name: row[name] for name in ("id", *watched)}).values for row in part]
        stored = stored_rows(connection, table, [(row["id"],) for row in fitted], ("id",), watched)
        changed = [
            row["id"]
            for row in fitted
            if (before := stored.get((row["id"],))) is not None and any(before[name] != row[name] for name in watched)
        ]
        update_existing(connection, table, ({"id": each, column: now} for each in changed), key=("id",), now=now)
