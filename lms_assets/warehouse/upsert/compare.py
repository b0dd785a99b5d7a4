"""Comparing rows with what is stored: which to insert, which to change. Reads, writes nothing.

A value is brought into the form in which its column gives it back first, so that "differs" means something. Without
this a score of 95.456 would differ from its stored 95.46 for ever, and MySQL would refuse a text that SQLite takes.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import JSON, Boolean, Column, Connection, Date, Enum, Integer, Numeric, String, Table, select

from lms_assets.warehouse.schema.base import UtcDateTime, utc_whole_seconds
from lms_assets.warehouse.upsert.counts import RejectedRow

__all__ = [
    "CHUNK",
    "Change",
    "Fitted",
    "Fitter",
    "Row",
    "SyncPlan",
    "chunks",
    "compare",
    "stored_rows",
    "text_limit",
    "value_of",
]

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


def chunks(items: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """Cut an iterable into lists of at most `size`."""
    iterator = iter(items)
    while part := list(islice(iterator, size)):
        yield part


@dataclass(slots=True)
class Change:
    """A stored row that differs: its key, all given values, and what was stored in the given columns."""

    key: Key
    values: dict[str, Any]
    stored: dict[str, Any]


@dataclass(slots=True)
class SyncPlan:
    """What has to be written so that the stored rows are as given.

    `key` identifies a row; the columns of `insert_only` are written for new rows and not looked at otherwise.
    """

    key: tuple[str, ...]
    insert_only: frozenset[str] = frozenset()
    columns: tuple[str, ...] = ()
    inserts: list[dict[str, Any]] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    unchanged: int = 0
    shortened: int = 0
    rejected_rows: list[RejectedRow] = field(default_factory=list)
    seen: set[Key] = field(default_factory=set)

    @property
    def compared(self) -> list[str]:
        """Columns whose stored value has to be as given."""
        return [name for name in self.columns if name not in self.insert_only]


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
            missing = set(key) - set(plan.columns)
            if missing:
                raise ValueError(f"rows for {table.name} lack the key {', '.join(sorted(missing))}")
            fitter = Fitter(table, plan.columns, key)
        _compare_part(connection, table, _fit_part(plan, fitter, part), plan)
    return plan


def _fit_part(plan: SyncPlan, fitter: Fitter, part: list[Row]) -> list[tuple[Key, dict[str, Any]]]:
    by_key: dict[Key, dict[str, Any]] = {}
    new: list[tuple[Key, dict[str, Any]]] = []
    for row in part:
        fitted = fitter.fit(row)
        of_row = tuple(fitted.values[name] for name in plan.key)
        if fitted.problem is not None:
            plan.rejected_rows.append(RejectedRow(of_row, fitted.problem, fitted.values))
            continue
        if None in of_row:
            new.append((of_row, fitted.values))
        elif of_row in plan.seen:
            plan.rejected_rows.append(RejectedRow(of_row, "was given twice; the first counts", fitted.values))
            continue
        else:
            by_key[of_row] = fitted.values
            plan.seen.add(of_row)
        plan.shortened += bool(fitted.shortened)
    return [*by_key.items(), *new]


def _compare_part(connection: Connection, table: Table, part: list[tuple[Key, dict[str, Any]]], plan: SyncPlan) -> None:
    compared = plan.compared
    known = stored_rows(connection, table, [k for k, _ in part if None not in k], plan.key, compared)
    for of_row, values in part:
        stored = known.get(of_row)
        if stored is None:
            plan.inserts.append(values)
        elif all(values[name] == stored[name] for name in compared):
            plan.unchanged += 1
        else:
            plan.changes.append(Change(of_row, values, stored))


def stored_rows(
    connection: Connection, table: Table, keys: list[Key], key: Sequence[str], columns: Sequence[str]
) -> dict[Key, dict[str, Any]]:
    """Read the given columns of the rows with these keys, by key.

    With several key columns each is narrowed by itself and the rest is sorted out here: MariaDB uses no index for a
    list of tuples.
    """
    if not keys:
        return {}
    wanted: dict[str, Column[Any]] = {name: table.c[name] for name in (*key, *columns)}
    query = select(*wanted.values())
    for position, name in enumerate(key):
        query = query.where(table.c[name].in_({k[position] for k in keys}))
    asked = set(keys)
    found: dict[Key, dict[str, Any]] = {}
    for row in connection.execute(query):
        values = dict(zip(wanted, row, strict=True))
        of_row = tuple(values[name] for name in key)
        if of_row in asked:
            found[of_row] = values
    return found


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

    def fit(self, row: Row) -> Fitted:
        """Fit one row. ValueError when its columns are not those of the first row: a mistake in the program."""
        is_mapping = isinstance(row, Mapping)
        if is_mapping and len(row) != len(self._names):
            raise ValueError(f"rows must all have the columns {', '.join(self._names)}")
        get = operator.getitem if is_mapping else getattr
        values: dict[str, Any] = {}
        shortened: list[str] = []
        for name in self._names:
            value = get(row, name)
            if value is not None:
                try:
                    value = self._converters[name](value)
                except DoesNotFit as rejected_row:
                    if name in self._strict or name in self._required:
                        return Fitted(self._given(row), problem=f"{name} {rejected_row}")
                    value = None
                    shortened.append(name)
                limit = self._limits[name]
                if limit is not None and isinstance(value, str) and len(value) > limit:
                    if name in self._strict:
                        return Fitted(self._given(row), problem=f"{name} is longer than {limit} characters")
                    value = value[:limit]
                    shortened.append(name)
            if value is None and name in self._required and name not in self._key:
                return Fitted(self._given(row), problem=f"{name} is missing")
            values[name] = value
        return Fitted(values, tuple(shortened))

    def _given(self, row: Row) -> dict[str, Any]:
        return {name: value_of(row, name) for name in self._names}


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
