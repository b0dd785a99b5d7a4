"""What the reports are made of: frozen values, each figure addressable by name. No counting and no wording here.

`addressed(report)` gives every figure under a dotted name (`partners.12.npcu`), which is what tests and the graph's
metadata use. Instants are aware UTC, changes are differences of NPCU or of certifications.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime
from typing import Any

from lms_assets.domain.counting.compliance import Standing


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
class PartnerLine:
    """One partner in a PAM's report. `withheld`: why its counts are not confirmed; None when they are."""

    key: int
    name: str
    tier: str
    npcu: Change
    standing: Standing
    certifications: int
    by_category: Mapping[str, int]
    people: int
    people_in_no_group: int
    contacts_not_in_lms: int
    leads_last_30_days: int
    gained: int
    lost: int
    expiring_90: int
    url: str | None = None
    withheld: str | None = None

    @property
    def by_other_causes(self) -> int:
        """What of the week's change comes from people who joined or left, courses whose points changed, and records
        that were read late.
        """
        return (self.npcu.difference or 0) - (self.gained - self.lost) if self.npcu.before is not None else 0


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


@dataclass(frozen=True, slots=True)
class PamTotals:
    """Sums over a PAM's partners."""

    partners: int
    npcu: Change
    certifications: int
    by_category: Mapping[str, int]
    uncategorised: int
    people: int
    gained: int
    lost: int
    below: int
    about_to_fall: int
    people_in_no_group: int
    contacts_not_in_lms: int
    leads_last_30_days: int


@dataclass(frozen=True, slots=True)
class PamReport:
    """One PAM's report. Lists are whole; what a mail has room for is the renderer's business.

    `fell_below` are partners that are below and fell there within the week, `below` all the others that are below,
    `about_to_fall` in the order of when. `new` and `expired` happened within the week.
    """

    frame: Frame
    owners: tuple[str, ...]
    totals: PamTotals
    partners: tuple[PartnerLine, ...]
    fell_below: tuple[PartnerLine, ...]
    about_to_fall: tuple[PartnerLine, ...]
    below: tuple[PartnerLine, ...]
    moved: tuple[PartnerLine, ...]
    new: tuple[CertificationLine, ...]
    expired: tuple[CertificationLine, ...]
    expiring: tuple[CertificationLine, ...]
    expiring_within: tuple[Expiring, ...]
    npcu_by_week: tuple[WeekPoint, ...]
    expiries_by_week: tuple[WeekPoint, ...]


@dataclass(frozen=True, slots=True)
class PeriodLine:
    """A stock over a span: how far it moved, against the same span last year. `key` is the span's name."""

    key: str
    change: Change
    last_year: Change | None


@dataclass(frozen=True, slots=True)
class EarnedLine:
    """A flow in a span: certifications newly held at its end, and their NPCU, against the same span last year."""

    key: str
    certifications: int
    npcu: int
    certifications_last_year: int
    npcu_last_year: int


@dataclass(frozen=True, slots=True)
class StockLine:
    """One stock in the executive report (NPCU, or certifications of one category) with its spans."""

    key: str
    now: int
    periods: tuple[PeriodLine, ...]


@dataclass(frozen=True, slots=True)
class ShareLine:
    """A group of partners (a tier, a region or a PAM) in the executive report."""

    key: str
    partners: int
    people: int
    certifications: int
    npcu: Change
    requirement: int
    asked: int
    meets: int
    below: int
    about_to_fall: int
    expiring_30: int

    @property
    def compliance(self) -> float | None:
        """Per cent of the partners with a requirement that meet it, those about to fall included."""
        return None if not self.asked else round(100 * (self.asked - self.below) / self.asked, 1)


@dataclass(frozen=True, slots=True)
class RankLine:
    """A partner in a ranking, with the change since the ranking's beginning. `withheld` as in PartnerLine."""

    key: int
    name: str
    tier: str
    region: str
    owner: str
    npcu: Change
    url: str | None = None
    withheld: str | None = None


@dataclass(frozen=True, slots=True)
class ExecutiveReport:
    """The roll-up over all active partners; it holds no person's name.

    `growing` counts from thirteen weeks ago; `quiet` are partners none of whose people completed a certification in
    90 days, `quiet_partners` their number. `withheld`: partners whose counts are not confirmed.
    """

    frame: Frame
    partners: int
    people: int
    people_of_several: int
    certifications: int
    uncategorised: int
    totals: tuple[StockLine, ...]
    earned: tuple[EarnedLine, ...]
    overall: ShareLine
    tiers: tuple[ShareLine, ...]
    regions: tuple[ShareLine, ...]
    pams: tuple[ShareLine, ...]
    categories: tuple[StockLine, ...]
    expiring_within: tuple[Expiring, ...]
    top: tuple[RankLine, ...]
    growing: tuple[RankLine, ...]
    quiet: tuple[RankLine, ...]
    quiet_partners: int
    npcu_by_week: tuple[WeekPoint, ...]
    expiries_by_week: tuple[WeekPoint, ...]
    fell_below: tuple[RankLine, ...]
    withheld: tuple[RankLine, ...] = ()


Report = PamReport | ExecutiveReport


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
