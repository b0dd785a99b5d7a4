"""Writing a plan in bulk; a row that the database refuses is set aside and the others are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, bindparam, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.dml import Insert, Update

from lms_assets.warehouse.errors import clash_of, refused_row
from lms_assets.warehouse.savepoint import savepoint
from lms_assets.warehouse.sync_counts import Misfit
from lms_assets.warehouse.sync_plan import Change, SyncPlan, chunks
from lms_assets.warehouse.unique_values import make_way, unique_columns

__all__ = ["STAMPS", "OnClash", "write_plan"]

OnClash = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]
"""Given the values of a row that was refused, other values to try once, or None to give up on it."""

STAMPS = ("synced_at", "updated_at", "fetched_at")
"""Columns that say when a row was last written; set on written rows only."""

_BATCH = 1000
Params = dict[str, Any]


class PlanWriter:
    """Writes the inserts and changes of one plan; `refused` collects (row's own object, reason)."""

    def __init__(self, connection: Connection, table: Table, key: Sequence[str], now: datetime) -> None:
        self._connection, self._table, self._key = connection, table, tuple(key)
        self._now = now

    def stamps(self, given: Sequence[str], *names: str) -> Params:
        """Stamp columns of the table that the rows do not give themselves."""
        return {n: self._now for n in names if n in self._table.c and n not in given}

    def insert(self, rows: list[Params], columns: Sequence[str]) -> list[tuple[Params, str]]:
        """Insert rows; gives those refused, each with the reason."""
        stamps = self.stamps(columns, *STAMPS, "created_at")
        with_id = [{**row, **stamps} for row in rows if all(row.get(k) is not None for k in self._key)]
        without = [
            {**{n: v for n, v in row.items() if n not in self._key or v is not None}, **stamps}
            for row in rows
            if any(row.get(k) is None for k in self._key)
        ]
        refused: list[tuple[Params, str]] = []
        for params in (with_id, without):
            refused += self._write(insert(self._table), params)
        return refused

    def update(self, rows: list[Params], columns: Sequence[str]) -> list[tuple[Params, str]]:
        """Update rows found by key; gives those refused, each with the reason."""
        if not rows:
            return []
        stamps = self.stamps(columns, *STAMPS)
        changing = [name for name in columns if name not in self._key]
        statement = self._table.update().values({**{name: bindparam(f"new_{name}") for name in changing}, **stamps})
        for name in self._key:
            statement = statement.where(self._table.c[name] == bindparam(f"key_{name}"))
        params = [{**{f"new_{n}": row[n] for n in changing}, **{f"key_{n}": row[n] for n in self._key}} for row in rows]
        return [
            ({n.split("_", 1)[1]: v for n, v in row.items()}, reason) for row, reason in self._write(statement, params)
        ]

    def _write(self, statement: Insert | Update, rows: list[Params]) -> list[tuple[Params, str]]:
        refused: list[tuple[Params, str]] = []
        for part in chunks(rows, _BATCH):
            refused += self._write_part(statement, part)
        return refused

    def _write_part(self, statement: Insert | Update, part: list[Params]) -> list[tuple[Params, str]]:
        try:
            with savepoint(self._connection):
                self._connection.execute(statement, part)
        except DBAPIError as error:
            if not refused_row(error):
                raise
            if len(part) == 1:
                return [(part[0], clash_of(error))]
            half = len(part) // 2
            return self._write_part(statement, part[:half]) + self._write_part(statement, part[half:])
        return []


def write_plan(
    connection: Connection,
    table: Table,
    plan: SyncPlan,
    *,
    key: Sequence[str],
    now: datetime,
    insert_only: frozenset[str],
    on_clash: OnClash | None,
) -> list[Misfit]:
    """Write what the plan says and give the rows that the database refused."""
    writer = PlanWriter(connection, table, key, now)
    update_columns = [name for name in plan.columns if name not in insert_only]
    parked = make_way(connection, table, plan, key)
    misfits: list[Misfit] = []

    refused = writer.update([c.values for c in plan.changes], update_columns)
    refused = _second_try(refused, on_clash, lambda rows: writer.update(rows, update_columns))
    for row, reason in refused:
        of_row = tuple(row[name] for name in key)
        misfits.append(Misfit(of_row, reason))
        if of_row in parked:
            _put_back(writer, table, parked[of_row], key, update_columns)

    refused = writer.insert(plan.inserts, plan.columns)
    refused = _second_try(refused, on_clash, lambda rows: writer.insert(rows, plan.columns))
    misfits += [Misfit(tuple(row.get(name) for name in key), reason) for row, reason in refused]
    return misfits


def _second_try(
    refused: list[tuple[Params, str]],
    on_clash: OnClash | None,
    write: Callable[[list[Params]], list[tuple[Params, str]]],
) -> list[tuple[Params, str]]:
    if on_clash is None:
        return refused
    final: list[tuple[Params, str]] = []
    for row, reason in refused:
        other = on_clash(row)
        final += [(row, reason)] if other is None else write([dict(other)])
    return final


def _put_back(writer: PlanWriter, table: Table, change: Change, key: Sequence[str], columns: Sequence[str]) -> None:
    """Give a row that stepped aside and was then refused its old values, marked if another has them by now."""
    old = {name: change.stored[name] for name in (*key, *columns)}
    if not writer.update([old], columns):
        return
    mark = f" (#{'_'.join(map(str, change.key))})"
    for column in unique_columns(table, key, columns):
        width = getattr(column.type, "length", None) or 255
        old[column.name] = old[column.name][: width - len(mark)] + mark
    writer.update([old], columns)
