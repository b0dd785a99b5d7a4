"""Comparing rows with what is stored: which to insert, which to change. Reads, writes nothing.

A value is brought into the form in which its column gives it back first, so that "differs" means something. Without
this a score of 95.456 would differ from its stored 95.46 for ever, and MySQL would refuse a text that SQLite takes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from itertools import islice
from operator import attrgetter, itemgetter
from typing import Any, TypeVar

from sqlalchemy import JSON, Boolean, Column, Connection, Date, Enum, Integer, Numeric, String, Table, select

from lms_assets.warehouse.schema.base import UtcDateTime, utc_whole_seconds
from lms_assets.warehouse.upsert.counts import RejectedRow

Row = Any
"""A mapping of columns to values, or a dataclass whose fields are columns."""


def value_of(row: Row, column: str) -> Any:
    """A row's value in one column."""
    return row[column] if isinstance(row, Mapping) else getattr(row, column)


def _columns(row: Row) -> tuple[str, ...]:
    return tuple(row) if isinstance(row, Mapping) else tuple(row.__dataclass_fields__)


CHUNK = 500
"""Rows or ids of one statement: far below SQLite's limit of variables and MySQL's packet size."""

T = TypeVar("T")
Key = tuple[Any, ...]
Values = tuple[Any, ...]
"""A row's values in the order of its columns: at ten times the real volume a dictionary a row would take 300 MB."""


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
    fitter: Fitter | None = None
    for part in chunks(rows):
        if fitter is None:
            plan.columns = _columns(part[0])
            plan.compared = tuple(name for name in plan.columns if name not in insert_only)
            missing = set(key) - set(plan.columns)
            if missing:
                raise ValueError(f"rows for {table.name} lack the key {', '.join(sorted(missing))}")
            fitter = Fitter(table, plan.columns, key)
        _compare_part(connection, table, part, plan, fitter)
    return plan


def _compare_part(connection: Connection, table: Table, part: list[Row], plan: SyncPlan, fitter: Fitter) -> None:
    given = [fitter.values_of(row) for row in part]
    keys = [fitter.key_of(values) for values in given]
    asked = [of_row for of_row in keys if None not in of_row]
    known = stored_rows(connection, table, asked, plan.key, plan.compared)
    places = [plan.columns.index(name) for name in plan.compared]
    for values, of_row in zip(given, keys, strict=True):
        stored = known.get(of_row)
        # Nearly every row of a night is stored as it comes; only the others are worth bringing into form.
        if stored is not None and of_row not in plan.seen and tuple([values[place] for place in places]) == stored:
            plan.seen.add(of_row)
            plan.unchanged += 1
            continue
        _judge(plan, fitter.fit_values(values), stored)


def _judge(plan: SyncPlan, fitted: Fitted, stored: Values | None) -> None:
    """Say what has to be done with a row; `stored`: its compared columns, None when it is new."""
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
    elif tuple(fitted.values[name] for name in plan.compared) == stored:
        plan.unchanged += 1
    else:
        plan.changes.append(Change(of_row, values, stored))


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
    for position, name in enumerate(key):
        query = query.where(table.c[name].in_({k[position] for k in keys}))
    width = len(key)
    return {tuple(row[:width]): tuple(row[width:]) for row in connection.execute(query)}


_TEXT_LIMIT = 16_000
"""Characters kept of a text column: MySQL's TEXT, which adopted portals have, ends at 64 KB of four-byte characters."""

_DOCUMENT_LIMIT = 1_000_000
"""Characters of a JSON document: a statement of several must stay below MySQL's max_allowed_packet of 16 MB."""

_INT_MIN, _INT_MAX = -(2**31), 2**31 - 1


class DoesNotFit(ValueError):
    """A value its column cannot hold; the text says why, without the value."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A row in the database's form.

    Attributes:
        values: column name to value.
        shortened: columns whose value was cut to the column's width, or left out because an optional column could not
            hold it.
        problem: why the row cannot be stored at all, or None.
    """

    values: dict[str, Any]
    shortened: tuple[str, ...] = ()
    problem: str | None = None


class Fitter:
    """Fits rows of one table and one set of columns.

    A text too long for its column is cut, another impossible value becomes NULL, and both are named in `shortened`.
    In a column that identifies the row, refers to another or must not be NULL they make the row unfit instead.
    """

    def __init__(self, table: Table, columns: Sequence[str], key: Sequence[str]) -> None:
        unknown = [name for name in columns if name not in table.c]
        if unknown:
            raise ValueError(f"{table.name} has no column {', '.join(unknown)}")
        self._names = tuple(columns)
        self._converters: dict[str, Callable[[Any], Any]] = {n: _converter(table.c[n]) for n in columns}
        self._limits = {n: _limit(table.c[n]) for n in columns}
        unique = {c.name for c in table.c if c.unique}
        strict = {n for n in columns if table.c[n].foreign_keys or table.c[n].primary_key}
        self._strict = strict | set(key) | unique
        self._required = {n for n in columns if not table.c[n].nullable}
        self._key = frozenset(key)
        self._key_places = [(name, self._names.index(name)) for name in key]
        self._of_mapping, self._of_object = itemgetter(*columns), attrgetter(*columns)

    def fit(self, row: Row) -> Fitted:
        """Fit one row. ValueError when its columns are not those of the first row: a mistake in the program."""
        return self.fit_values(self.values_of(row))

    def values_of(self, row: Row) -> Values:
        """A row's values as they are given, in the order of the columns; ValueError as `fit`."""
        is_mapping = isinstance(row, Mapping)
        if is_mapping and len(row) != len(self._names):
            raise ValueError(f"rows must all have the columns {', '.join(self._names)}")
        found = (self._of_mapping if is_mapping else self._of_object)(row)
        return found if len(self._names) > 1 else (found,)

    def key_of(self, values: Values) -> Key:
        """The key under which a row would be stored; a value that cannot be stored is None there."""
        found = []
        for name, place in self._key_places:
            value = values[place]
            try:
                found.append(None if value is None else self._converters[name](value))
            except DoesNotFit:
                found.append(None)
        return tuple(found)

    def fit_values(self, given: Values) -> Fitted:
        """Fit one row, given in the order of the columns."""
        values: dict[str, Any] = {}
        shortened: list[str] = []
        for name, value in zip(self._names, given, strict=True):
            if value is not None:
                try:
                    value = self._converters[name](value)
                except DoesNotFit as rejected_row:
                    if name in self._strict or name in self._required:
                        return self._unfit(given, f"{name} {rejected_row}")
                    value = None
                    shortened.append(name)
                limit = self._limits[name]
                if limit is not None and isinstance(value, str) and len(value) > limit:
                    if name in self._strict:
                        return self._unfit(given, f"{name} is longer than {limit} characters")
                    value = value[:limit]
                    shortened.append(name)
            if value is None and name in self._required and name not in self._key:
                return self._unfit(given, f"{name} is missing")
            values[name] = value
        return Fitted(values, tuple(shortened))

    def _unfit(self, given: Values, problem: str) -> Fitted:
        return Fitted(dict(zip(self._names, given, strict=True)), problem=problem)


def text_limit(column: Column[Any]) -> int:
    """How many characters a text column takes."""
    return getattr(column.type, "length", None) or _TEXT_LIMIT


def _limit(column: Column[Any]) -> int | None:
    if isinstance(column.type, Enum) or not isinstance(column.type, String):
        return None
    return text_limit(column)


def _converter(column: Column[Any]) -> Callable[[Any], Any]:
    kind = column.type
    if isinstance(kind, Numeric):
        return _decimal(kind.precision or 10, kind.scale or 0)
    for known, convert in _CONVERTERS:
        if isinstance(kind, known):
            return convert
    raise TypeError(f"no rule how to compare {column.table.name}.{column.name}")


def _instant(value: Any) -> datetime:
    if not isinstance(value, datetime):
        raise DoesNotFit("is not an instant")
    return utc_whole_seconds(value)


def _day(value: Any) -> date:
    if isinstance(value, datetime) or not isinstance(value, date):
        raise DoesNotFit("is not a date")
    return value


def _flag(value: Any) -> bool:
    if value in (0, 1):
        return bool(value)
    raise DoesNotFit("is neither true nor false")


def _whole(value: Any) -> int:
    if not isinstance(value, int | Decimal | float) or value != value // 1:
        raise DoesNotFit("is not a whole number")
    number = int(value)
    if not _INT_MIN <= number <= _INT_MAX:
        raise DoesNotFit("is beyond 32 bits")
    return number


def _decimal(precision: int, scale: int) -> Callable[[Any], Decimal]:
    step = Decimal(1).scaleb(-scale)
    bound = Decimal(10) ** (precision - scale)

    def convert(value: Any) -> Decimal:
        try:
            number = Decimal(str(value)).quantize(step)
            fits = abs(number) < bound
        except InvalidOperation:
            raise DoesNotFit("is not a number") from None
        if not fits:
            raise DoesNotFit(f"is not below {bound}")
        return number

    return convert


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise DoesNotFit("is not text")
    if max(value, default="") >= "\ud800" and any("\ud800" <= c <= "\udfff" for c in value):
        # Half a surrogate pair, as broken JSON escapes give it, has no UTF-8 form.
        value = "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in value)
    return str(value).replace("\x00", "")


def _choice(value: Any) -> str:
    return str(value)


def _document(value: Any) -> Any:
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        raise DoesNotFit("is not JSON") from None
    if len(text) > _DOCUMENT_LIMIT:
        raise DoesNotFit(f"is longer than {_DOCUMENT_LIMIT} characters")
    return json.loads(text.encode("utf-8", "replace"))


_CONVERTERS: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (UtcDateTime, _instant),
    (Date, _day),
    (Boolean, _flag),
    (Integer, _whole),
    (Enum, _choice),
    (String, _text),
    (JSON, _document),
)
