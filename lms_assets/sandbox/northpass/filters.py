"""`filter[attribute][predicate]=value` of the Northpass API, for every attribute of a listing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from lms_assets.sandbox.calls.exchange import Refused
from lms_assets.sandbox.northpass.resources import Attributes
from lms_assets.sandbox.state.timestamps import from_text, to_text

_PARAMETER = re.compile(r"^filter\[(\w+)\](?:\[(\w+)\])?$")
_INSTANT = re.compile(r"^\d{4}-\d\d-\d\d([T ]|$)")

# Objects within an object: there is nothing to compare them with.
_NESTED = ("payload", "properties")

Filter = tuple[str, str, str]
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "gt": lambda have, want: have > want,
    "gteq": lambda have, want: have >= want,
    "lt": lambda have, want: have < want,
    "lteq": lambda have, want: have <= want,
}
PREDICATES = ("eq", "not_eq", "cont", "not_cont", "in", *_COMPARISONS)


def filters_of(query: Iterable[tuple[str, str]], attributes: Attributes) -> tuple[Filter, ...]:
    """(attribute, predicate, value) of each filter; an unknown attribute or predicate is answered 422."""
    found = []
    for key, value in query:
        match = _PARAMETER.match(key)
        if match is None:
            if key.startswith("filter"):
                raise Refused(422, "Invalid filter", f"{key} is not filter[attribute][predicate]", key)
            continue
        attribute, predicate = match[1], match[2] or "eq"
        if attribute not in attributes or attribute in _NESTED:
            raise Refused(422, "Invalid filter", f"{attribute} cannot be filtered by here", key)
        if predicate not in PREDICATES:
            raise Refused(422, "Invalid filter", f"{predicate} is not a predicate", key)
        found.append((attribute, predicate, value))
    return tuple(found)


def matcher(filters: tuple[Filter, ...], attributes: Attributes) -> Callable[[Any], bool]:
    """Whether a row passes all filters; rows without a value pass only `not_eq` and `not_cont`."""
    tests = [(attributes[name], _test(predicate, value)) for name, predicate, value in filters]
    return lambda row: all(test(read(row)) for read, test in tests)


def _test(predicate: str, wanted: str) -> Callable[[Any], bool]:
    if predicate.startswith("not_"):
        positive = _test(predicate.removeprefix("not_"), wanted)
        return lambda have: not positive(have)
    if predicate == "in":
        options = [_test("eq", option) for option in wanted.split(",")]
        return lambda have: any(option(have) for option in options)
    if predicate == "cont":
        return lambda have: have is not None and wanted.casefold() in str(have).casefold()
    if predicate == "eq":
        return lambda have: have is not None and have == _as_type_of(have, wanted)
    compare = _COMPARISONS[predicate]
    return lambda have: have is not None and compare(have, _as_type_of(have, wanted))


def _as_type_of(have: Any, wanted: str) -> Any:
    """The filter's value as the attribute's type, so that numbers and instants compare as such."""
    try:
        return _converted(type(have).__name__, wanted)
    except ValueError as error:
        raise Refused(422, "Invalid filter", f"the value {wanted[:40]!r} does not fit the attribute") from error


@lru_cache(maxsize=256)
def _converted(kind: str, wanted: str) -> Any:
    if kind == "bool":
        return wanted.strip().lower() == "true"
    if kind in ("int", "float"):
        return float(wanted)
    return to_text(from_text(wanted)) if _INSTANT.match(wanted) else wanted
