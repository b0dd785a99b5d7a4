"""Writing the rows of a plan, many with one statement, and finding those that the database refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, bindparam, insert
from sqlalchemy.exc import DBAPIError

from lms_assets.warehouse.errors import clash_of, refused_row
from lms_assets.warehouse.upsert.compare import CHUNK, SyncPlan, Values, chunks

__all__ = ["STAMPS", "PlanWriter", "Refused", "savepoint", "update_rows"]

STAMPS = ("synced_at", "updated_at", "fetched_at")
"""Columns that say when a row was last written; set on written rows only."""

Refused = tuple[Values, str]
"""A row that the database refused, in the order of the plan's columns, and why."""

_MOST_TEXT = 2_000_000
"""Characters of one statement: four bytes each stay below MySQL's max_allowed_packet of 16 MB."""


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


def update_rows(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, key: str, now: datetime
) -> None:
    """Update stored rows found by `key` without comparing them first; all rows have the same columns.

    Raises:
        DBAPIError: the database refuses a row; the transaction is to be given up.
    """
    if rows:
        names = tuple(rows[0])
        writer = PlanWriter(connection, table, SyncPlan((key,), columns=names, compared=names), now)
        for part in chunks([tuple(row[name] for name in names) for row in rows]):
            writer.send_updates(part)


class PlanWriter:
    """Writes rows of one plan's columns; what the database refuses is given back, the others are written."""

    def __init__(self, connection: Connection, table: Table, plan: SyncPlan, now: datetime) -> None:
        self._connection, self._table, self._plan = connection, table, plan
        self._changing = [name for name in plan.compared if name not in plan.key]
        self._now = now

    def insert(self, rows: Sequence[Values]) -> list[Refused]:
        """Insert rows. For an id that is None the database gives one."""
        stamps = self._stamps(*STAMPS, "created_at")

        def send(part: Sequence[Values]) -> None:
            self._connection.execute(insert(self._table), [self._plan.named(row) | stamps for row in part])

        return self._write(send, rows)

    def update(self, rows: Sequence[Values]) -> list[Refused]:
        """Update rows found by key, all columns but those for inserted rows only."""
        return self._write(self.send_updates, rows)

    def send_updates(self, rows: Sequence[Values]) -> None:
        """Update at most CHUNK rows; what the database refuses is an error."""
        (self._joined if self._connection.dialect.name == "mysql" else self._one_by_one)(rows)

    def _stamps(self, *names: str) -> dict[str, datetime]:
        """Stamp columns of the table that the rows do not give themselves."""
        return {name: self._now for name in names if name in self._table.c and name not in self._plan.columns}

    def _one_by_one(self, rows: Sequence[Values]) -> None:
        """SQLite is in the program: there is no way to it that many rows could share."""
        names = (*self._plan.key, *self._changing)
        statement = self._table.update().where(
            *(self._table.c[name] == bindparam(f"v_{name}") for name in self._plan.key)
        )
        statement = statement.values({name: bindparam(f"v_{name}") for name in self._changing} | self._stamps(*STAMPS))
        params = [f"v_{name}" for name in names]
        places = self._places(names)
        self._connection.execute(
            statement, [{name: row[place] for name, place in zip(params, places, strict=True)} for row in rows]
        )

    def _joined(self, rows: Sequence[Values]) -> None:
        """One UPDATE for all rows: the table joined with the rows, which are written out in the statement.

        INSERT ... ON DUPLICATE KEY UPDATE is no way: where another row holds a unique value, it changes that row.
        """
        key, stamps = self._plan.key, self._stamps(*STAMPS)
        names = (*key, *self._changing)
        params = self._for_driver(names, rows)
        if len(rows) > 1 and sum(len(value) for value in params if isinstance(value, str)) > _MOST_TEXT:
            self._joined(rows[: len(rows) // 2])
            self._joined(rows[len(rows) // 2 :])
            return
        preparer = self._connection.dialect.identifier_preparer
        given = ", ".join(f"%s AS {preparer.quote(name)}" for name in names)
        given += f" UNION ALL SELECT {', '.join(['%s'] * len(names))}" * (len(rows) - 1)
        same = " AND ".join(f"stored.{preparer.quote(name)} = given.{preparer.quote(name)}" for name in key)
        changes = [f"stored.{preparer.quote(name)} = given.{preparer.quote(name)}" for name in self._changing]
        changes += [f"stored.{preparer.quote(name)} = %s" for name in stamps]
        # Names only, and quoted; every value is a parameter.
        statement = (
            f"UPDATE {preparer.format_table(self._table)} AS stored JOIN (SELECT {given}) AS given ON {same} "  # noqa: S608
            f"SET {', '.join(changes)}"
        )
        params += self._for_driver(tuple(stamps), [tuple(stamps.values())], range(len(stamps)))
        self._connection.exec_driver_sql(statement, tuple(params))

    def _for_driver(self, names: Sequence[str], rows: Sequence[Values], places: Sequence[int] = ()) -> list[Any]:
        """The values of these columns, row after row, as the driver takes them."""
        dialect = self._connection.dialect
        converters = [self._table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names]
        columns = list(zip(places or self._places(names), converters, strict=True))
        return [row[place] if convert is None else convert(row[place]) for row in rows for place, convert in columns]

    def _places(self, names: Sequence[str]) -> list[int]:
        return [self._plan.columns.index(name) for name in names]

    def _write(self, send: Callable[[Sequence[Values]], None], rows: Sequence[Values]) -> list[Refused]:
        refused: list[Refused] = []
        for part in chunks(rows, CHUNK):
            refused += self._write_part(send, part)
        return refused

    def _write_part(self, send: Callable[[Sequence[Values]], None], part: Sequence[Values]) -> list[Refused]:
        try:
            with savepoint(self._connection):
                send(part)
        except DBAPIError as error:
            if not refused_row(error):
                raise
            if len(part) == 1:
                return [(part[0], clash_of(error))]
            half = len(part) // 2
            return self._write_part(send, part[:half]) + self._write_part(send, part[half:])
        return []
