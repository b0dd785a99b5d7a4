"""Builds conditions in Impartner's filter language, with every value quoted. Pure.

(after("Updated", moment) & is_null("PartnerAccountId").negated()) | one_of("Id", [1, 2, 3])
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Literal

Value = str | int | float | bool | datetime | None
Operator = Literal["=", "!=", "<", "<=", ">", ">="]

_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}\Z")
VALUES_PER_LIST = 100
"""Keeps an address well under the length that proxies accept."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition; `str()` gives it in the filter language. `&` and `|` combine, in parentheses."""

    text: str

    def __str__(self) -> str:
        return self.text

    def __and__(self, other: Condition) -> Condition:
        return Condition(f"({self.text}) and ({other.text})")

    def __or__(self, other: Condition) -> Condition:
        return Condition(f"({self.text}) or ({other.text})")


def compare(field: str, operator: Operator, value: Value) -> Condition:
    """`field operator value`. ValueError for a field name or value that the language cannot express."""
    return Condition(f"{field_name(field)} {operator} {literal(value)}")


def equals(field: str, value: Value) -> Condition:
    """The field has exactly this value; None means that it is empty."""
    return compare(field, "=", value)


def differs(field: str, value: Value) -> Condition:
    """The field has another value; None means that it is filled."""
    return compare(field, "!=", value)


def after(field: str, moment: datetime) -> Condition:
    """The field is later than an aware moment."""
    return compare(field, ">", moment)


def since(field: str, moment: datetime) -> Condition:
    """The field is at or later than an aware moment."""
    return compare(field, ">=", moment)


def one_of(field: str, values: Sequence[Value]) -> Condition:
    """The field has one of the values. ValueError for none at all, which the language cannot express."""
    if not values:
        raise ValueError("one_of needs at least one value")
    return Condition(f"{field_name(field)} in ({','.join(literal(value) for value in values)})")


def one_of_in_parts(field: str, values: Iterable[Value], size: int = VALUES_PER_LIST) -> Iterator[Condition]:
    """The same for any number of values: one condition for each `size` of them."""
    remaining = iter(values)
    while part := list(islice(remaining, size)):
        yield one_of(field, part)


def field_name(name: str) -> str:
    """The name, if it is one."""
    if not _FIELD.match(name):
        raise ValueError("not a field name")
    return name


def literal(value: Value) -> str:
    """The value as the language writes it: text in single quotes with quotes doubled, datetimes in UTC without zone."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a datetime needs a time zone")
        return f"'{value.astimezone(UTC).strftime('%Y-%m-%dT%H:%M:%S')}'"
    if isinstance(value, str):
        if any(character < " " or "\ud800" <= character <= "\udfff" for character in value):
            raise ValueError("text for a filter must hold no control characters")
        return "'" + value.replace("'", "''") + "'"
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError("a number for a filter must be finite")
    return repr(value)
