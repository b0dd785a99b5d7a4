"""Noting when something that other rows rest on changed: called before the rows are written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, Table

from lms_assets.warehouse.upsert.compare import chunks, stored_rows, value_of
from lms_assets.warehouse.upsert.fitting import Fitter, Row
from lms_assets.warehouse.upsert.upsert import update_existing


def stamp_changes(
    connection: Connection,
    table: Table,
    rows: Iterable[Row],
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
    names = (key, *watched)
    fitter = Fitter(table, names, (key,))
    given = (tuple(value_of(row, name) for name in names) for row in rows)
    for part in chunks(values for values in given if values[0] is not None):
        fitted = [fitter.fit_values(values).values for values in part]
        stored = stored_rows(connection, table, [(row[key],) for row in fitted], (key,), watched)
        changed = [
            row[key]
            for row in fitted
            if stored.get((row[key],), now_is := tuple(row[name] for name in watched)) != now_is
        ]
        update_existing(connection, table, ({key: each, column: now} for each in changed), key=(key,), now=now)
