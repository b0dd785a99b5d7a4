"""Making stored rows equal to given ones: the only way rows of a vendor reach a table.

Every function works in the caller's transaction, compares before it writes, and writes only what differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, and_, bindparam, delete, insert, or_, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.dml import Insert, Update
from sqlalchemy.sql.elements import ColumnElement

from lms_assets.warehouse.errors import clash_of, refused_row
from lms_assets.warehouse.upsert.compare import CHUNK, Change, Row, SyncPlan, chunks, compare
from lms_assets.warehouse.upsert.counts import RejectedRow, SyncCounts
from lms_assets.warehouse.upsert.unique_values import make_way, marked, unique_columns

__all__ = ["RejectedRow", "SyncCounts", "deactivate", "delete_rows", "savepoint", "update_existing", "upsert"]

OnClash = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]
"""Given the values of a row that was refused, other values to try once, or None to give up on it."""

STAMPS = ("synced_at", "updated_at", "fetched_at")
"""Columns that say when a row was last written; set on written rows only."""

_BATCH = 1000
_FEW = 3
"""Columns few enough that many rows may get equal values, and rows so few that one statement each is as good."""

Params = dict[str, Any]


def upsert(
    connection: Connection,
    table: Table,
    rows: Iterable[Row],
    *,
    key: Sequence[str],
    now: datetime,
    insert_only: Iterable[str] = (),
    on_clash: OnClash | None = None,
) -> SyncCounts:
    """Insert the rows whose key is not stored, update those that differ, leave the others untouched.

    `synced_at`, `updated_at`, `fetched_at` (and `created_at` of inserted rows) become `now` on written rows only.
    Values of unique columns may move between rows, also in a circle. A row that the database refuses is named in
    `rejected_rows`; the others are written.

    Args:
        rows: all with the same columns, as mappings or as dataclasses whose fields are columns. A key column that is
            None means a new row whose id the database gives. Of several rows with one key the first counts and the
            others are rejected rows.
        key: columns that identify a row.
        insert_only: columns written for new rows and neither compared nor changed on stored ones.
        on_clash: gets a refused row's values and may give others to try once, e.g. another name.

    Raises:
        ValueError: unknown columns or rows with different ones.
    """
    plan = compare(connection, table, rows, key=tuple(key), insert_only=frozenset(insert_only))
    return _write(connection, table, plan, now=now, on_clash=on_clash)


def update_existing(
    connection: Connection,
    table: Table,
    rows: Iterable[Row],
    *,
    key: Sequence[str],
    now: datetime,
) -> SyncCounts:
    """Update stored rows that differ, as upsert does, but never insert: keys that are not stored are passed over."""
    plan = compare(connection, table, rows, key=tuple(key))
    plan.inserts = []
    return _write(connection, table, plan, now=now, on_clash=None)


def _write(
    connection: Connection, table: Table, plan: SyncPlan, *, now: datetime, on_clash: OnClash | None
) -> SyncCounts:
    return _counts(plan, _write_plan(connection, table, plan, now=now, on_clash=on_clash))


def _counts(plan: SyncPlan, rejected_rows: list[RejectedRow]) -> SyncCounts:
    refused = {rejected_row.key for rejected_row in rejected_rows}
    updated = deactivated = reactivated = 0
    for change in plan.changes:
        if change.key in refused:
            continue
        before, after = change.stored.get("is_active"), change.values.get("is_active")
        if before is None or bool(before) == bool(after):
            updated += 1
        elif after:
            reactivated += 1
        else:
            deactivated += 1
    changed = {change.key for change in plan.changes}
    refused_inserts = sum(rejected_row.key not in changed for rejected_row in rejected_rows)
    return SyncCounts(
        created=len(plan.inserts) - refused_inserts,
        updated=updated,
        unchanged=plan.unchanged,
        deactivated=deactivated,
        reactivated=reactivated,
        shortened=plan.shortened,
        rejected_rows=(*plan.rejected_rows, *rejected_rows),
    )


def deactivate(
    connection: Connection,
    table: Table,
    ids: Iterable[Any],
    *,
    now: datetime,
    values: Mapping[str, Any] | None = None,
) -> int:
    """Mark rows as no longer at the source: `is_active` false, `deleted_at` now where there is one, and `values`.

    Args:
        ids: values of the table's `id` column. Rows that are inactive already are left as they are.

    Returns:
        How many rows became inactive.
    """
    changes: dict[str, Any] = {"is_active": False}
    changes |= {name: now for name in ("deleted_at", *STAMPS) if name in table.c}
    changes |= dict(values or {})
    count = 0
    for part in chunks(ids):
        statement = update(table).where(table.c.id.in_(part), table.c.is_active.is_(True)).values(changes)
        count += connection.execute(statement).rowcount
    return count


def delete_rows(connection: Connection, table: Table, keys: Iterable[Any]) -> int:
    """Remove rows: memberships, enrollments and leads that are gone at the source, nothing else.

    Args:
        keys: values of the primary key, tuples when it has several columns.

    Returns:
        How many rows were removed.
    """
    columns = list(table.primary_key.columns)
    count = 0
    if len(columns) == 1:
        for part in chunks(keys):
            count += connection.execute(delete(table).where(columns[0].in_(part))).rowcount
        return count
    for part in chunks(keys, CHUNK // len(columns)):
        wanted: list[ColumnElement[bool]] = [
            and_(*(column == value for column, value in zip(columns, values, strict=True))) for values in part
        ]
        count += connection.execute(delete(table).where(or_(*wanted))).rowcount
    return count


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


class _PlanWriter:
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


def _write_plan(
    connection: Connection, table: Table, plan: SyncPlan, *, now: datetime, on_clash: OnClash | None
) -> list[RejectedRow]:
    """Write what the plan says and give the rows that the database refused."""
    writer = _PlanWriter(connection, table, plan.key, now)
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


def _put_back(writer: _PlanWriter, table: Table, change: Change, plan: SyncPlan) -> None:
    """Give a row that stepped aside and was then refused its old values, marked if another has them by now."""
    columns = plan.compared
    old = {name: change.stored[name] for name in (*plan.key, *columns)}
    if not writer.update([old], columns):
        return
    mark = f" (#{'_'.join(map(str, change.key))})"
    for column in unique_columns(table, plan.key, columns):
        old[column.name] = marked(old[column.name], mark, column)
    writer.update([old], columns)
