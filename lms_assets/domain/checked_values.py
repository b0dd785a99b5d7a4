"""The values of a rules file, read by the types of a dataclass: every mistake at once, in our words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar, get_origin, get_type_hints

from annotated_types import Interval

T = TypeVar("T")

_PROBLEMS = {
    "missing": "is missing",
    "missing_argument": "is missing",
    "unexpected_keyword_argument": "is no known key",
    "string_type": "must be text that is not blank",
    "string_too_short": "must be text that is not blank",
    "path_type": "must be text that is not blank",
    "tuple_type": "must be a list",
    "dict_type": "must be a table",
    "dataclass_type": "must be a table",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a number",
    "too_short": "must have at least one entry",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
}


class WrongValues(ValueError):
    """`problems` holds one line for each mistake, with the key that is wrong."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def read_values(
    cls: type[T], given: Mapping[str, Any], checks: Mapping[str, Callable[[Any], str | None]] | None = None
) -> T:
    """An instance of a dataclass with these values, the others by default.

    Args:
        given: as a TOML file has them: a list for a tuple, a table for a mapping or a dataclass.
        checks: key to what is wrong with its value, for what no type says.

    Raises:
        WrongValues: an unknown key, a wrong type, a blank text or a value out of bounds; all that there are.
    """
    # Here and not above: commands that read no rules file start 50 ms sooner without it.
    from pydantic import ConfigDict, TypeAdapter, ValidationError

    config = ConfigDict(strict=True, extra="forbid", str_strip_whitespace=True, str_min_length=1, allow_inf_nan=False)
    hints = get_type_hints(cls, include_extras=True)
    problems: list[str] = []
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key not in hints:
            near = get_close_matches(key, hints, 1)
            hint = f"did you mean {near[0]!r}?" if near else "lms-assets rules show has all there are"
            problems.append(f"unknown key {key!r}; {hint}")
            continue
        try:
            # As JSON, since there a list is strictly a tuple and a table strictly a dataclass.
            values[key] = TypeAdapter(hints[key], config=config).validate_json(json.dumps(value, default=str))
        except ValidationError as error:
            # A list whose entries are all wrong is also called empty.
            errors = [each for each in error.errors() if each["type"] != "too_short" or error.error_count() == 1]
            problems += [f"{key}{_place(each['loc'])} {_problem(each, hints[key])}" for each in errors]
        else:
            problem = checks[key](values[key]) if checks and key in checks else None
            problems += [f"{key} {problem}"] if problem else []
    if problems:
        raise WrongValues(problems)
    return cls(**values)


def _place(loc: tuple[int | str, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)


def _problem(error: Any, hint: Any) -> str:
    bounds = hint.__metadata__[0] if get_origin(hint) is Annotated else None
    if error["type"] in ("greater_than_equal", "less_than_equal") and isinstance(bounds, Interval):
        return f"must be {bounds.ge} to {bounds.le}, not {error['input']}"
    return str(_PROBLEMS.get(error["type"], error["msg"])).format(**error.get("ctx", {}))
