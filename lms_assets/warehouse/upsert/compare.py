"""Comparing rows with what is stored: which to insert, which to change. Reads, writes nothing.

A value is brought into the form in which its column gives it back first (`fitting`), so that "differs" means something.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Table, func, select

from lms_assets.warehouse.schema.base import UtcDateTime
from lms_assets.warehouse.upsert.counts import RejectedRow
from lms_assets.warehouse.upsert.fitting import NONE, SEPARATOR, UNKNOWN, Fitter, Key, Row, Values, text_maker


def value_of(row: Row, column: str) -> Any:
    """A row's value in one column."""
    return row[column] if isinstance(row, Mapping) else getattr(row, column)


def _columns(row: Row) -> tuple[str, ...]:
    return tuple(row) if isinstance(row, Mapping) else tuple(row.__dataclass_fields__)


CHUNK = 500
"""Rows or ids of one statement: far below SQLite's limit of variables and MySQL's packet size."""

T = TypeVar("T")


def chunks(items: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """Cut an iterable into lists of at most `size`."""
    iterator = iter(items)
    while part := list(islice(iterator, size)):
        yield part


@dataclass(slots=True)
class Change:
    """A stored row that differs: its key, all given values, and what was stored in the compared columns."""

    key: Key
    values: Values
    stored: Values


@dataclass(slots=True)
class SyncPlan:
    """What has to be written so that the stored rows are as given.

    `key` identifies a row; the columns of `insert_only` are written for new rows and not looked at otherwise. Values
    stand in the order of `columns`, stored ones in that of `compared`.
    """

    key: tuple[str, ...]
    insert_only: frozenset[str] = frozenset()
    columns: tuple[str, ...] = ()
    compared: tuple[str, ...] = ()
    inserts: list[Values] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    unchanged: int = 0
    shortened: int = 0
    rejected_rows: list[RejectedRow] = field(default_factory=list)
    seen: set[Key] = field(default_factory=set)

    def given(self, values: Values, column: str) -> Any:
        """A given row's value in one column."""
        return values[self.columns.index(column)]

    def stored(self, change: Change, column: str) -> Any:
        """What was stored in one compared column."""
        return change.stored[self.compared.index(column)]

    def named(self, values: Values) -> dict[str, Any]:
        """A given row by the names of its columns."""
        return dict(zip(self.columns, values, strict=True))

    def differing(self, changes: Iterable[Change]) -> set[str]:
        """The columns in which at least one of these rows differs from what was stored."""
        places = [self.columns.index(name) for name in self.compared]
        found = set()
        for change in changes:
            given = change.values
            found |= {n for n, place in enumerate(places) if given[place] != change.stored[n]}
        return {self.compared[n] for n in found}


def compare(
    connection: Connection,
    table: Table,
    rows: Iterable[Row],
    *,
    key: Sequence[str],
    insert_only: frozenset[str] = frozenset(),
) -> SyncPlan:
    """Compare rows with the stored ones that have the same key.

    A row whose key holds None is an insert. Of several rows with one key the first counts, the others are rejected.

    Raises:
        ValueError: a column that the table lacks, rows with different columns, or a key column that is not given.
    """
    plan = SyncPlan(tuple(key), insert_only)
    comparison: _Comparison | None = None
    for part in chunks(rows):
        if comparison is None:
            plan.columns = _columns(part[0])
            plan.compared = tuple(name for name in plan.columns if name not in insert_only)
            missing = set(key) - set(plan.columns)
            if missing:
                raise ValueError(f"rows for {table.name} lack the key {', '.join(sorted(missing))}")
            comparison = _Comparison(connection, table, plan, Fitter(table, plan.columns, key))
        comparison.add(part)
    return plan


class _Comparison:
    """Compares part after part with what is stored and notes in the plan what has to be done."""

    def __init__(self, connection: Connection, table: Table, plan: SyncPlan, fitter: Fitter) -> None:
        self._connection, self._table, self._plan, self._fitter = connection, table, plan, fitter
        self._places = [plan.columns.index(name) for name in plan.compared]
        self._text_of = text_maker(table, plan.compared) if connection.dialect.name == "mysql" else None
        self._ask_texts = self._text_of is not None

    def add(self, rows: list[Row]) -> None:
        """Compare these rows."""
        plan, fitter, unchanged = self._plan, self._fitter, self._plan.unchanged
        given = list(map(fitter.values_of, rows))
        keys = list(map(fitter.key_of, given))
        same = self._same_as_text(keys, given)
        asked = [of_row for of_row, is_same in zip(keys, same, strict=True) if not is_same and None not in of_row]
        known = stored_rows(self._connection, self._table, asked, plan.key, plan.compared)
        for of_row, values, is_same in zip(keys, given, same, strict=True):
            stored = known.get(of_row)
            # Nearly every row of a night is stored as it comes; only the others are worth bringing into form.
            if of_row not in plan.seen and (is_same or (stored is not None and self._compared(values) == stored)):
                plan.seen.add(of_row)
                plan.unchanged += 1
            else:
                self._judge(values, stored)
        # Where nearly everything changes, asking for texts first only costs.
        self._ask_texts = self._text_of is not None and 2 * (plan.unchanged - unchanged) > len(rows)

    def _same_as_text(self, keys: list[Key], given: list[Values]) -> list[bool]:
        """Which rows are stored exactly as they are given, each compared as one text: surely so where it says yes.

        The driver for MySQL is Python: to take a row apart costs more than everything else that is done to it.
        """
        if self._text_of is None or not self._ask_texts:
            return [False] * len(given)
        asked = [of_row for of_row in keys if None not in of_row]
        stored = stored_texts(self._connection, self._table, asked, self._plan.key, self._plan.compared)
        text_of, compared = self._text_of, self._compared
        return [text_of(compared(values)) in stored for values in given]

    def _compared(self, values: Values) -> Values:
        return values if len(self._places) == len(values) else tuple([values[place] for place in self._places])

    def _judge(self, given: Values, stored: Values | None) -> None:
        """Say what has to be done with a row; `stored`: its compared columns, None when it is new."""
        plan = self._plan
        known = () if stored is None else self._aligned(stored)
        fitted = self._fitter.fit_values(given, known)
        of_row = tuple(fitted.values[name] for name in plan.key)
        problem = fitted.problem or ("was given twice; the first counts" if of_row in plan.seen else None)
        if problem is not None:
            plan.rejected_rows.append(RejectedRow(of_row, problem, fitted.values))
            return
        if None not in of_row:
            plan.seen.add(of_row)
        plan.shortened += bool(fitted.shortened)
        values = tuple(fitted.values.values())
        if stored is None:
            plan.inserts.append(values)
        elif self._compared(values) == stored:
            plan.unchanged += 1
        else:
            plan.changes.append(Change(of_row, values, stored))

    def _aligned(self, stored: Values) -> Values:
        """Stored values in the order of all columns, UNKNOWN for those that are not compared."""
        if len(self._places) == len(self._plan.columns):
            return stored
        found = [UNKNOWN] * len(self._plan.columns)
        for place, value in zip(self._places, stored, strict=True):
            found[place] = value
        return tuple(found)


def stored_rows(
    connection: Connection, table: Table, keys: list[Key], key: Sequence[str], columns: Sequence[str]
) -> dict[Key, Values]:
    """Read the given columns of the rows with these keys, by key.

    With several key columns each is narrowed by itself and the rest is sorted out here: MariaDB uses no index for a
    list of tuples.
    """
    if not keys:
        return {}
    query = select(*(table.c[name] for name in key), *(table.c[name].label(f"v_{name}") for name in columns))
    width = len(key)
    rows = connection.execute(query.where(*_among(table, keys, key))).all()
    return {tuple(row[:width]): tuple(row[width:]) for row in rows}


def stored_texts(
    connection: Connection, table: Table, keys: list[Key], key: Sequence[str], columns: Sequence[str]
) -> set[str]:
    """The rows with these keys, each as the text that `text_maker` makes of the same values; MySQL only."""
    if not keys:
        return set()
    texts = [
        func.ifnull(func.concat(column, "+00:00") if isinstance(column.type, UtcDateTime) else column, NONE)
        for column in (table.c[name] for name in columns)
    ]
    query = select(func.concat_ws(SEPARATOR, *texts)).where(*_among(table, keys, key))
    return set(connection.execute(query).scalars())


def _among(table: Table, keys: list[Key], key: Sequence[str]) -> list[ColumnElement[bool]]:
    return [table.c[name].in_({of_row[place] for of_row in keys}) for place, name in enumerate(key)]
