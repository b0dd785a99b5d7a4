"""How a step says how far it is, in one line that people and the command line both read."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PATTERN = re.compile(r"^(?P<noun>.+): (?P<done>[\d,]+)(?: of (?P<total>[\d,]+))?$")


@dataclass(frozen=True)
class Progress:
    """`done` of `total` things; `total` is None while nobody knows it."""

    noun: str
    done: int
    total: int | None = None

    def __str__(self) -> str:
        of_total = f" of {self.total:,}" if self.total is not None else ""
        return f"{self.noun}: {self.done:,}{of_total}"


def read_progress(text: str) -> Progress | None:
    """The progress that a log line reports; None for any other line."""
    match = _PATTERN.match(text)
    if not match:
        return None
    total = match["total"]
    return Progress(match["noun"], int(match["done"].replace(",", "")), int(total.replace(",", "")) if total else None)
