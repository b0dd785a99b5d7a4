"""The CRM's filter language (Impartner API, transport): text to a test of one row.

SQL-like: `and`, `or`, `not`, parentheses, `= != <> < <= > >=`, `in (...)`, `not in (...)`, `= null`, `!= null`;
strings in single quotes with quotes doubled, whole and decimal numbers, `true`, `false`; datetimes are strings.
As in SQL a comparison with an empty field is never true, except `= null` (and `!=` null is false for it); texts
compare without regard to upper and lower case.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedInput, VisitError

from lms_assets.sandbox.impartner.fields import CrmObject, Field
from lms_assets.sandbox.state.timestamps import from_text, to_text

_GRAMMAR = r"""
?start: either
?either: both ("or"i both)*
?both: negated ("and"i negated)*
?negated: "not"i negated -> opposite
    | "(" either ")"
    | comparison
comparison: FIELD OPERATOR value        -> compared
    | FIELD "in"i "(" value ("," value)* ")"        -> among
    | FIELD "not"i "in"i "(" value ("," value)* ")" -> not_among
?value: STRING -> text
    | NUMBER   -> number
    | "true"i  -> yes
    | "false"i -> no
    | "null"i  -> null
OPERATOR: "!=" | "<>" | "<=" | ">=" | "=" | "<" | ">"
FIELD: /(?!(?:and|or|not|in|null|true|false)\b)[A-Za-z_][A-Za-z0-9_]*/i
STRING: /'(?:[^']|'')*'/
NUMBER: /-?\d+(\.\d+)?/
%ignore /\s+/
"""
_INSTANT = re.compile(r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$")

Test = Callable[[Any], bool]
_ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_PARSER = Lark(_GRAMMAR, parser="lalr", maybe_placeholders=False)


class FilterError(ValueError):
    """The filter cannot be read; the text says where, for the caller of the API."""


@lru_cache(maxsize=128)
def _parsed(text: str) -> Any:
    return _PARSER.parse(text)


def compiled(text: str, entry: CrmObject) -> Test:
    """A test of the object's rows; raises FilterError on bad syntax, an unknown field or a value that does not fit."""
    try:
        test: Test = _Compiler(entry).transform(_parsed(text))
    except UnexpectedInput as error:
        raise FilterError(f"syntax error in the filter at position {getattr(error, 'pos_in_stream', 0)}") from error
    except VisitError as error:
        raise FilterError(str(error.orig_exc)) from error
    return test


@v_args(inline=True)
class _Compiler(Transformer[Token, Any]):
    """Turns the parse tree into nested functions of a row."""

    def __init__(self, entry: CrmObject) -> None:
        super().__init__()
        self._entry = entry

    def either(self, *tests: Test) -> Test:
        return lambda row: any(test(row) for test in tests)

    def both(self, *tests: Test) -> Test:
        return lambda row: all(test(row) for test in tests)

    def opposite(self, test: Test) -> Test:
        return lambda row: not test(row)

    def compared(self, name: Token, sign: Token, wanted: Any) -> Test:
        field, compare = self._field(name), _ORDERED[str(sign)]
        attribute = field.attribute
        if wanted is None:
            if sign not in ("=", "!=", "<>"):
                raise FilterError(f"{name} {sign} null is no comparison")
            empty_wanted = sign == "="
            return lambda row: (_value(row, attribute) is None) is empty_wanted
        fitting = _fitting(field, wanted)

        def test(row: Any) -> bool:
            have = _value(row, attribute)
            return have is not None and compare(have, fitting)

        return test

    def among(self, name: Token, *wanted: Any) -> Test:
        field = self._field(name)
        attribute = field.attribute
        options = frozenset(_fitting(field, value) for value in wanted if value is not None)
        return lambda row: _value(row, attribute) in options

    def not_among(self, name: Token, *wanted: Any) -> Test:
        inside = self.among(name, *wanted)
        attribute = self._field(name).attribute
        return lambda row: _value(row, attribute) is not None and not inside(row)

    def text(self, token: Token) -> str:
        return token[1:-1].replace("''", "'")

    def number(self, token: Token) -> float:
        return float(token) if "." in token else int(token)

    def yes(self) -> bool:
        return True

    def no(self) -> bool:
        return False

    def null(self) -> None:
        return None

    def _field(self, name: Token) -> Field:
        field = self._entry.fields.get(name.lower())
        if field is None:
            raise FilterError(f"{self._entry.name} has no field {name}")
        return field


def _value(row: Any, attribute: str) -> Any:
    """The row's value as it is compared: texts folded, an empty text is empty."""
    value = getattr(row, attribute)
    return (value.casefold() or None) if isinstance(value, str) else value


def _fitting(field: Field, wanted: Any) -> Any:
    """The filter's value as the field's type."""
    if field.data_type == "DateTime":
        if isinstance(wanted, str) and _INSTANT.match(wanted):
            return to_text(from_text(wanted)).casefold()
    elif field.data_type == "Boolean":
        if isinstance(wanted, bool):
            return wanted
    elif field.data_type == "Integer":
        if not isinstance(wanted, (str, bool)):
            return wanted
    elif isinstance(wanted, str):
        return wanted.casefold()
    raise FilterError(f"{field.name} is a {field.data_type}; this value does not fit")
