"""What both reports are made of: frozen values, each figure addressable by name. No counting and no wording here.

`addressed(report)` gives every figure under a dotted name (`partners.12.npcu`), which is what tests and the graph's
metadata use. Instants are aware UTC, changes are differences of NPCU or of certifications.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Frame:
    """What every report says about itself: of which week, as of when, and what is wrong with its data (`banner`).

    `released`: it goes out because a person said so, although its data is not current; the subject says it.
    `known_since`: the first counting that is kept; what was earlier is worked out from dates.
    """

    week: date
    as_of: datetime
    since: datetime
    banner: str | None = None
    released: bool = False
    known_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A figure now and before; `before` is None when nothing is known of then."""

    now: int
    before: int | None

    @property
    def difference(self) -> int | None:
        """How far it moved."""
        return None if self.before is None else self.now - self.before

    @property
    def percent(self) -> float | None:
        """How far it moved in per cent of before; None when that was 0 or is unknown."""
        return None if not self.before else round(100 * (self.now - self.before) / self.before, 1)


@dataclass(frozen=True, slots=True)
class CertificationLine:
    """One certification of one person at one partner; `at` is when it was completed or when it expires."""

    key: str
    partner_id: int
    partner: str
    person: str
    course: str
    category: str | None
    npcu: int
    at: datetime
    days: int = 0


@dataclass(frozen=True, slots=True)
class Expiring:
    """Certifications that expire within `key` days after the instant of counting, and the NPCU that go with them.

    What the holder has renewed already does not expire.
    """

    key: int
    certifications: int
    npcu: int


@dataclass(frozen=True, slots=True)
class WeekPoint:
    """A week of a chart: `key` is its day."""

    key: date
    value: int


def addressed(report: Any) -> dict[str, Any]:
    """Every figure of a report under its dotted name; elements of a list are named by their key."""
    return dict(_walk("", report))


def _walk(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    prefix = f"{name}." if name else ""
    if is_dataclass(value):
        for each in fields(value):
            yield from _walk(prefix + each.name, getattr(value, each.name))
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _walk(f"{prefix}{key}", inner)
    elif isinstance(value, tuple):
        for position, inner in enumerate(value):
            yield from _walk(f"{prefix}{getattr(inner, 'key', position)}", inner)
    else:
        yield name, value
