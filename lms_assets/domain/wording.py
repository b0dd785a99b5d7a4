"""How numbers of things are said."""

from __future__ import annotations


def number_of(number: object, one: str, several: str | None = None) -> str:
    """`1 partner`, `1,234 partners`, `1 person`, `2 people`; `several` where it is not `one` with an s.

    A text that stands for an unknown number is a plural.
    """
    shown = f"{number:,}" if isinstance(number, int) else str(number)
    return f"{shown} {one if number == 1 else several or one + 's'}"
