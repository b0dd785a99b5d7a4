"""Instants as the vendors write them: UTC, whole seconds, `2020-03-31T17:15:17Z` (Northpass API, transport)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def to_text(moment: datetime) -> str:
    """`moment` (aware) in the vendors' form; fractions of a second are dropped."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def from_text(text: str) -> datetime:
    """Read what a caller sent, with or without zone (none means UTC); raises ValueError on anything else."""
    moment = datetime.fromisoformat(text.strip().replace(" ", "T"))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def shifted(text: str, **delta: float) -> str:
    """`text` moved by a timedelta given as keyword arguments, in the vendors' form."""
    return to_text(from_text(text) + timedelta(**delta))


class Clock:
    """The sandbox's own time: frozen at an instant, or running with an offset to the real clock."""

    def __init__(self, frozen_at: datetime | None) -> None:
        self._frozen = frozen_at.astimezone(UTC) if frozen_at is not None else None
        self._offset = timedelta(0)

    def now(self) -> datetime:
        """Current sandbox time, aware UTC, whole seconds."""
        moment = self._frozen if self._frozen is not None else datetime.now(UTC) + self._offset
        return moment.replace(microsecond=0)

    def text(self) -> str:
        """Current sandbox time as the vendors write it."""
        return to_text(self.now())

    def set(self, moment: datetime) -> None:
        """Stand still at `moment`."""
        self._frozen = moment.astimezone(UTC)

    def advance(self, seconds: float) -> None:
        """Move forward (or back), standing still or running as before."""
        if self._frozen is not None:
            self._frozen += timedelta(seconds=seconds)
        else:
            self._offset += timedelta(seconds=seconds)

    def run_live(self) -> None:
        """Run with the real clock again, without an offset."""
        self._frozen = None
        self._offset = timedelta(0)
