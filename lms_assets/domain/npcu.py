"""NPCU points as courses state them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from lms_assets.domain.values import clean_text, kind_of

VALID_VALUES = (0, 1, 2)
_SHOWN_CHARACTERS = 40


@dataclass(frozen=True, slots=True)
class Npcu:
    """`value` counts: 0, 1 or 2. `problem` says what stood there instead, for a check; None: all right."""

    value: int
    problem: str | None


def parse_npcu(value: Any) -> Npcu:
    """The points in a custom property (domain rules, NPCU). Never raises.

    - 0, 1 or 2 as a number (`2.0` is the number 2) or as text that is exactly one of these ASCII digits once
      trimmed (`" 2 "`; not `2.0`, `02`, `+2` or `２`).
    - None, missing and blank text are 0, without a problem.
    - Anything else is 0 with a problem: other numbers, other text, true and false, lists, objects.
    """
    if value is None:
        return Npcu(0, None)
    if isinstance(value, str):
        text = value.strip()
        if text in ("", "0", "1", "2"):
            return Npcu(int(text or 0), None)
        shown = clean_text(text[:_SHOWN_CHARACTERS])
        return Npcu(0, f"text {shown!r} is not 0, 1 or 2")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return Npcu(0, f"{kind_of(value)} is not 0, 1 or 2")
    if value in VALID_VALUES:
        return Npcu(int(value), None)
    if isinstance(value, float) and not math.isfinite(value):
        return Npcu(0, "not a finite number")
    return Npcu(0, f"{value:.6g} is not 0, 1 or 2" if abs(value) < 10**300 else "a huge number is not 0, 1 or 2")
