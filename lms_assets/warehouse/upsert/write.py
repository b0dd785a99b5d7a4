"""A part of a transaction that may be refused by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, bindparam, insert, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.dml import Insert, Update

from lms_assets.warehouse.errors import clash_of, refused_row
from lms_assets.warehouse.upsert.compare import Change, SyncPlan, chunks
from lms_assets.warehouse.upsert.counts import RejectedRow
from lms_assets.warehouse.upsert.unique_values import make_way, marked, unique_columns

__all__ = ["STAMPS", "OnClash", "savepoint", "write_plan"]


@contextmanager
def savepoint(connection: Connection) -> Iterator[None]:
    """Undo only what is done inside when the database refuses a row; the error is passed on.

    After any other error nothing is undone here. A deadlock, a full disk or a lost connection has ended the whole
    transaction, its savepoints included: asking for one would hide that error behind another.
    """
    nested = connection.begin_nested()
    try:
        yield
    except DBAPIError as error:
        if refused_row(error):
            nested.rollback()
        raise
    nested.commit()


OnClash = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]
"""Given the values of a row that was refused, other values to try once, or None to give up on it."""

STAMPS = ("synced_at", "updated_at", "fetched_at")
"""Columns that say when a row was last written; set on written rows only."""

_BATCH = 1000
_FEW = 3
"""Columns few enough that many rows may get equal values, and rows so few that one statement each is as good."""

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
        """Insert rows; gives those refused, each with the reason. For an id that is None the database gives one."""
        stamps = self.stamps(columns, *STAMPS, "created_at")
        return self._write(insert(self._table), [{**row, **stamps} for row in rows])

    def update(self, rows: list[Params], columns: Sequence[str]) -> list[tuple[Params, str]]:
        """Update rows found by key; gives those refused, each with the reason."""
        stamps = self.stamps(columns, *STAMPS)
        changing = [name for name in columns if name not in self._key]
        rows = self._update_alike(rows, changing, stamps)
        if not rows:
            return []
        values = {**{name: bindparam(f"new_{name}") for name in changing}, **stamps}
        statement = self._table.update().values(values)
        for name in self._key:
            statement = statement.where(self._table.c[name] == bindparam(f"key_{name}"))
        params = [{**{f"new_{n}": row[n] for n in changing}, **{f"key_{n}": row[n] for n in self._key}} for row in rows]
        return [
            ({n.split("_", 1)[1]: v for n, v in row.items()}, reason) for row, reason in self._write(statement, params)
        ]

    def _update_alike(self, rows: list[Params], changing: list[str], stamps: Params) -> list[Params]:
        """Update rows that get equal values with one statement for many; gives the rows that are left to do.

        MySQL needs a round trip for each row otherwise, and thousands of people are marked as read at once.
        """
        if len(self._key) > 1 or len(changing) > _FEW:
            return rows
        alike: dict[str, list[Params]] = {}
        for row in rows:
            alike.setdefault(repr([row[name] for name in changing]), []).append(row)
        left: list[Params] = []
        key = self._table.c[self._key[0]]
        for group in alike.values():
            for part in chunks(group) if len(group) > _FEW else [group]:
                values = {**{name: part[0][name] for name in changing}, **stamps}
                ids = [row[self._key[0]] for row in part]
                if len(part) <= _FEW or not self._accepted(update(self._table).where(key.in_(ids)).values(values)):
                    left += part
        return left

    def _accepted(self, statement: Update) -> bool:
        try:
            with savepoint(self._connection):
                self._connection.execute(statement)
        except DBAPIError as error:
            if not refused_row(error):
                raise
            return False
        return True

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
    connection: Connection, table: Table, plan: SyncPlan, *, now: datetime, on_clash: OnClash | None
) -> list[RejectedRow]:
    """Write what the plan says and give the rows that the database refused."""
    writer = PlanWriter(connection, table, plan.key, now)
    parked = make_way(connection, table, plan)
    rejected_rows: list[RejectedRow] = []

    refused = writer.update([c.values for c in plan.changes], plan.compared)
    refused = _second_try(refused, on_clash, lambda rows: writer.update(rows, plan.compared))
    for row, reason in refused:
        of_row = tuple(row[name] for name in plan.key)
        rejected_rows.append(RejectedRow(of_row, reason, row))
        if of_row in parked:
            _put_back(writer, table, parked[of_row], plan)

    refused = writer.insert(plan.inserts, plan.columns)
    refused = _second_try(refused, on_clash, lambda rows: writer.insert(rows, plan.columns))
    rejected_rows += [RejectedRow(tuple(row.get(name) for name in plan.key), reason, row) for row, reason in refused]
    return rejected_rows


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


def _put_back(writer: PlanWriter, table: Table, change: Change, plan: SyncPlan) -> None:
    """Give a row that stepped aside and was then refused its old values, marked if another has them by now."""
    columns = plan.compared
    old = {name: change.stored[name] for name in (*plan.key, *columns)}
    if not writer.update([old], columns):
        return
    mark = f" (#{'_'.join(map(str, change.key))})"
    for column in unique_columns(table, plan.key, columns):
        old[column.name] = marked(old[column.name], mark, column)
    writer.update([old], columns)
