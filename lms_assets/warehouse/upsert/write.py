"""Writing the rows of a plan, many with one statement, and finding those that the database refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.exc import DBAPIError

from lms_assets.warehouse.errors import clash_of, refused_row
from lms_assets.warehouse.upsert.compare import Change, SyncPlan, chunks
from lms_assets.warehouse.upsert.fitting import Values

__all__ = ["STAMPS", "PlanWriter", "Refused", "insert_rows", "savepoint", "update_rows"]

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


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows as they are given; all have the same columns.

    Raises:
        DBAPIError: the database refuses a row; the transaction is to be given up.
    """
    for part in chunks(rows):
        names = tuple(part[0])
        _insert(connection, table, names, [tuple([row[name] for name in names]) for row in part])


def _insert(connection: Connection, table: Table, names: Sequence[str], rows: Sequence[Values]) -> None:
    """Insert at most CHUNK rows. The driver for MySQL makes one statement of many rows."""
    quote = connection.dialect.identifier_preparer.quote
    place = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    places = ", ".join([place] * len(names))
    # Names only, and quoted; every value is a parameter.
    statement = f"INSERT INTO {quote(table.name)} ({', '.join(map(quote, names))}) VALUES ({places})"  # noqa: S608
    connection.exec_driver_sql(statement, _for_driver(connection, table, names, rows))


def _for_driver(
    connection: Connection, table: Table, names: Sequence[str], rows: Sequence[Values], places: Sequence[int] = ()
) -> list[Values]:
    """The values of these columns of each row, as the driver takes them; they stand at `places`, or one by one."""
    dialect = connection.dialect
    converters = [table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names]
    columns = list(zip(places or range(len(names)), converters, strict=True))
    return [tuple([row[n] if convert is None else convert(row[n]) for n, convert in columns]) for row in rows]


class PlanWriter:
    """Writes rows of one plan's columns; what the database refuses is given back, the others are written."""

    def __init__(self, connection: Connection, table: Table, plan: SyncPlan, now: datetime) -> None:
        self._connection, self._table, self._plan = connection, table, plan
        self._changing = [name for name in plan.compared if name not in plan.key]
        self._now = now
        self._quote = connection.dialect.identifier_preparer.quote

    def insert(self, rows: Sequence[Values]) -> list[Refused]:
        """Insert rows. For an id that is None the database gives one."""
        stamps = self._stamps(*STAMPS, "created_at")
        names, stamped = (*self._plan.columns, *stamps), (self._now,) * len(stamps)

        def send(part: Sequence[Values]) -> None:
            _insert(self._connection, self._table, names, [row + stamped for row in part])

        return self._write(rows, send)

    def update(self, rows: Sequence[Values]) -> list[Refused]:
        """Update rows found by key, all columns but those for inserted rows only; gives those that were refused."""
        return self._write(rows, self.send_updates)

    def change(self, changes: Sequence[Change]) -> list[Refused]:
        """Update rows in the columns in which they, or some of those written with them, differ from what is stored."""
        refused: list[Refused] = []
        for part in chunks(changes):
            send = partial(self.send_updates, changing=sorted(self._plan.differing(part)))
            refused += self._write_part(send, [change.values for change in part])
        return refused

    def send_updates(self, rows: Sequence[Values], changing: Sequence[str] = ()) -> None:
        """Update at most CHUNK rows, all columns or some; what the database refuses is an error."""
        one_by_one = self._connection.dialect.name != "mysql"
        (self._one_by_one if one_by_one else self._joined)(rows, changing or self._changing)

    def _stamps(self, *names: str) -> list[str]:
        """Stamp columns of the table that the rows do not give themselves."""
        return [name for name in names if name in self._table.c and name not in self._plan.columns]

    def _one_by_one(self, rows: Sequence[Values], changing: Sequence[str]) -> None:
        """SQLite is in the program: there is no way to it that many rows could share."""
        key, stamps = self._plan.key, self._stamps(*STAMPS)
        changes = ", ".join(f"{self._quote(name)} = ?" for name in (*changing, *stamps))
        same = " AND ".join(f"{self._quote(name)} = ?" for name in key)
        statement = f"UPDATE {self._quote(self._table.name)} SET {changes} WHERE {same}"  # noqa: S608
        stamped = self._stamped(stamps)
        given = zip(self._for_driver(changing, rows), self._for_driver(key, rows), strict=True)
        self._connection.exec_driver_sql(statement, [values + stamped + of_row for values, of_row in given])

    def _joined(self, rows: Sequence[Values], changing: Sequence[str]) -> None:
        """One UPDATE for all rows: the table joined with the rows, which are written out in the statement.

        INSERT ... ON DUPLICATE KEY UPDATE is no way: where another row holds a unique value, it changes that row.
        """
        key, stamps = self._plan.key, self._stamps(*STAMPS)
        names = (*key, *changing)
        params = [value for row in self._for_driver(names, rows) for value in row]
        if len(rows) > 1 and sum(len(value) for value in params if isinstance(value, str)) > _MOST_TEXT:
            self._joined(rows[: len(rows) // 2], changing)
            self._joined(rows[len(rows) // 2 :], changing)
            return
        quote = self._quote
        given = ", ".join(f"%s AS {quote(name)}" for name in names)
        given += f" UNION ALL SELECT {', '.join(['%s'] * len(names))}" * (len(rows) - 1)
        same = " AND ".join(f"stored.{quote(name)} = given.{quote(name)}" for name in key)
        changes = [f"stored.{quote(name)} = given.{quote(name)}" for name in changing]
        changes += [f"stored.{quote(name)} = %s" for name in stamps]
        statement = (
            f"UPDATE {quote(self._table.name)} AS stored JOIN (SELECT {given}) AS given ON {same} "  # noqa: S608
            f"SET {', '.join(changes)}"
        )
        self._connection.exec_driver_sql(statement, (*params, *self._stamped(stamps)))

    def _for_driver(self, names: Sequence[str], rows: Sequence[Values]) -> list[Values]:
        places = [self._plan.columns.index(name) for name in names]
        return _for_driver(self._connection, self._table, names, rows, places)

    def _stamped(self, stamps: Sequence[str]) -> Values:
        return _for_driver(self._connection, self._table, stamps, [(self._now,) * len(stamps)])[0]

    def _write(self, rows: Sequence[Values], send: Callable[[Sequence[Values]], None]) -> list[Refused]:
        return [each for part in chunks(rows) for each in self._write_part(send, part)]

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
