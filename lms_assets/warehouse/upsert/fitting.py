"""The form in which a column gives a value back, so that "differs" means something.

Without this a score of 95.456 would differ from its stored 95.46 for ever, and MySQL would refuse a text that SQLite
takes. No database is asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from itertools import repeat
from operator import attrgetter, itemgetter
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Date, Enum, Integer, Numeric, String, Table
from sqlalchemy.types import TypeEngine

from lms_assets.warehouse.schema.base import UtcDateTime, utc_whole_seconds

Row = Any
"""A mapping of columns to values, or a dataclass whose fields are columns."""

Key = tuple[Any, ...]
Values = tuple[Any, ...]
"""A row's values in the order of its columns: at ten times the real volume a dictionary a row would take 300 MB."""

UNKNOWN = object()
"""In place of a stored value that was not read."""

SEPARATOR, NONE = "\x1f", "\x1e\x1e"
"""Between the values of a row that is one text, and in place of a value that is None."""

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

    def fit_values(self, given: Values, stored: Values = ()) -> Fitted:
        """Fit one row, given in the order of the columns.

        Args:
            stored: what is stored, in the same order (UNKNOWN: not read); a value that equals it fits already.
        """
        values: dict[str, Any] = {}
        shortened: list[str] = []
        for name, value, known in zip(self._names, given, stored or repeat(UNKNOWN)):  # noqa: B905
            if value == known:
                value = known
            elif value is not None:
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


def text_maker(table: Table, columns: Sequence[str]) -> Callable[[Values], str] | None:
    """How to write a row of these columns as one text, so that equal texts mean equal rows in the database's form.

    None where that cannot be: a JSON document has several texts. Values that are not in the form in which their column
    gives them back have some other text.
    """
    kinds = [table.c[name].type for name in columns]
    if any(isinstance(kind, JSON) for kind in kinds):
        return None
    makers = [_text_maker(kind) for kind in kinds]
    separators = len(columns) - 1

    def make(values: Values) -> str:
        text = SEPARATOR.join([maker(value) for maker, value in zip(makers, values, strict=True)])
        return text if text.count(SEPARATOR) == separators else _NO_TEXT

    return make


_NO_TEXT = SEPARATOR + "none"


def _text_maker(kind: TypeEngine[Any]) -> Callable[[Any], str]:
    if isinstance(kind, Numeric):
        return _decimal_text(kind)
    if isinstance(kind, UtcDateTime):
        return _instant_text
    return _text_text if isinstance(kind, String) else _plain_text


def _text_text(value: Any) -> str:
    return value if isinstance(value, str) else NONE if value is None else _NO_TEXT


def _instant_text(value: Any) -> str:
    """In whole seconds; the server appends the zone to its own."""
    if value is None:
        return NONE
    return str(utc_whole_seconds(value)) if isinstance(value, datetime) else _NO_TEXT


def _plain_text(value: Any) -> str:
    """Of a number, flag or day."""
    if value is None:
        return NONE
    if value is True or value is False:
        return "1" if value else "0"
    return _NO_TEXT if isinstance(value, str) else str(value)


def _decimal_text(kind: Numeric[Any]) -> Callable[[Any], str]:
    convert = _decimal(kind.precision or 10, kind.scale or 0)

    def make(value: Any) -> str:
        try:
            return NONE if value is None else str(convert(value))
        except DoesNotFit:
            return _NO_TEXT

    return make


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
    if type(value) is not int and (not isinstance(value, int | Decimal | float) or value != value // 1):
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
    if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
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
