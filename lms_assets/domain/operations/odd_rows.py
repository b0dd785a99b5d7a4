"""Rows of the warehouse that cannot be read, as an incident."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from lms_assets.domain.operations.incident import FoundIncident

__all__ = ["unreadable_rows"]

SHOWN = 10


def unreadable_rows(rows: Sequence[str], now: datetime) -> Iterator[FoundIncident]:
    """One incident for all of them; `rows` are tables and keys, no values. Further rows are alerted again."""
    if rows:
        shown = ", ".join(rows[:SHOWN]) + (f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else "")
        yield FoundIncident(
            key="rows/unreadable",
            kind="row",
            what=f"{len(rows)} {'row' if len(rows) == 1 else 'rows'} of the warehouse cannot be read: {shown}",
            since=now,
            effect="They are left out; everything else goes on. What they say is not known.",
            remedy="Look at each row: a date, a number or JSON in it is damaged. Correct it, or delete the row.",
            grade=str(len(rows)),
        )
