"""Does a partner have the points that its tier asks for, since when not, and when will it fall below?

Pure: a partner's points over time in, a standing out. What counts is decided in certifications; what a tier asks for
is configuration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Literal

Status = Literal["no requirement", "meets", "about to fall below", "below"]

DEFAULT_TIER_REQUIREMENTS: Mapping[str, int] = MappingProxyType(
    {"Premier Plus": 30, "Premier": 20, "Select": 10, "Certified": 5, "Registered": 0, "Aggregator": 0}
)
"""NPCU that each tier asks for unless the configuration says otherwise; 0 asks for nothing."""


@dataclass(frozen=True, slots=True)
class TotalAt:
    """From `at` (UTC) on, until the next one, a partner's total is `npcu`."""

    at: datetime
    npcu: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How a partner stands against its tier's requirement at an instant.

    Attributes:
        requirement: NPCU its tier asks for; 0 asks for nothing.
        since: when a partner that is below fell below; None when it never met the requirement.
        falls_at: when one that is about to will fall below, if nothing is earned or renewed until then.
        falls_to: its NPCU from then on.
    """

    status: Status
    requirement: int
    npcu: int
    since: datetime | None = None
    falls_at: datetime | None = None
    falls_to: int | None = None

    @property
    def missing(self) -> int:
        """Points that are missing now, 0 when the requirement is met."""
        return max(0, self.requirement - self.npcu)


def requirement_of(tier: str | None, requirements: Mapping[str, int]) -> int:
    """NPCU that a tier asks for, its name compared without case and outer blanks; 0 for a tier that is not listed.

    Args:
        requirements: tier name to NPCU.
    """
    wanted = (tier or "").strip().casefold()
    return next((npcu for name, npcu in requirements.items() if name.strip().casefold() == wanted), 0)


def standing(requirement: int, totals: Sequence[TotalAt], *, at: datetime, until: datetime) -> Standing:
    """How a partner stands at `at`, looking ahead to `until`, that instant included.

    Args:
        requirement: NPCU its tier asks for.
        totals: its points over time, by `at`; before the first one it has none.
        at: the instant of counting, UTC.
        until: how far ahead to look.
    """
    past = [total for total in totals if total.at <= at]
    npcu = past[-1].npcu if past else 0
    if requirement <= 0:
        return Standing("no requirement", 0, npcu)
    if npcu < requirement:
        return Standing("below", requirement, npcu, since=_below_since(requirement, past))
    for total in totals:
        if at < total.at <= until and total.npcu < requirement:
            return Standing("about to fall below", requirement, npcu, falls_at=total.at, falls_to=total.npcu)
    return Standing("meets", requirement, npcu)


def _below_since(requirement: int, past: Sequence[TotalAt]) -> datetime | None:
    since = None
    for total in reversed(past):
        if total.npcu >= requirement:
            return since
        since = total.at
    return None
