"""Another system's counts against ours: which known differences in counting add up to what differs. Pure.

Reasons are given only where what they move adds up exactly, in NPCU and in every category; else nothing is claimed.
That it adds up is strong evidence, and no proof: nobody saw the other system count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import combinations

from lms_assets.domain.counting.certifications import PartnerCounts
from lms_assets.domain.counting.comparison_reasons import Cell, Effect, Reasons, effects_of
from lms_assets.domain.records.partners import StoredPartner, name_key, salesforce_key

MOST_REASONS = 10
"""So many are tried together, those of most points: 1,024 sums a partner."""

Numbers = tuple[int, ...]
"""NPCU, then the number of each compared category."""


@dataclass(frozen=True, slots=True)
class OldCounts:
    """What the other system counted for one account; `partner_id` is our row where that is known already."""

    name: str
    total_npcu: int
    by_category: Mapping[str, int]
    partner_id: int | None = None
    impartner_id: int | None = None
    salesforce_id: str | None = None


@dataclass(frozen=True, slots=True)
class OldData:
    """The old counts of all accounts, the categories that they have, and when they were made (UTC; None: unknown)."""

    accounts: tuple[OldCounts, ...]
    categories: tuple[str, ...]
    at: datetime | None = None


class Fit(StrEnum):
    """How a comparison came out."""

    EQUAL = "equal"
    EXPLAINED = "explained"
    NPCU_EXPLAINED = "only the NPCU is explained"
    OTHER_CATEGORIES = "the same NPCU in other categories"
    UNEXPLAINED = "not explained"
    INACTIVE_HERE = "not an active partner here"
    OLD_ONLY = "in the old counts only"
    NEW_ONLY = "not in the old counts"


@dataclass(frozen=True)
class Compared:
    """One account in both systems.

    Attributes:
        reasons: what adds up to the difference; empty when nothing does.
        ambiguous: other reasons add up just as well.
        possible: what could play a part in a difference that nothing explains.
    """

    name: str
    partner_id: int | None
    old: OldCounts | None
    new: PartnerCounts | None
    fit: Fit
    reasons: tuple[Effect, ...] = ()
    ambiguous: bool = False
    possible: tuple[Effect, ...] = ()

    @property
    def npcu(self) -> int:
        """How far the total moves, from old to new."""
        return (self.new.total_npcu if self.new else 0) - (self.old.total_npcu if self.old else 0)


def pair_up(
    old: Iterable[OldCounts], partners: Sequence[StoredPartner], active: Iterable[int]
) -> tuple[tuple[OldCounts | None, int | None], ...]:
    """Each old account with our partner, and each active partner whom the old counts do not have.

    By row where that is known; else by Impartner id, Salesforce id, name (domain rules, partner identity). One of ours
    is given to one old account only, the first by the surest sign.
    """
    accounts = list(old)
    found: dict[int, int] = {}
    taken: set[int] = set()
    for sign_of_old, sign_of_ours in _SIGNS:
        ours: dict[object, int] = {}
        for partner in sorted(partners, key=lambda each: (not each.is_active, each.id)):
            sign = sign_of_ours(partner)
            if sign is not None:
                ours.setdefault(sign, partner.id)
        for place, account in enumerate(accounts):
            partner_id = ours.get(sign_of_old(account)) if place not in found else None
            if partner_id is not None and partner_id not in taken:
                found[place] = partner_id
                taken.add(partner_id)
    pairs: list[tuple[OldCounts | None, int | None]] = [(each, found.get(n)) for n, each in enumerate(accounts)]
    return (*pairs, *((None, partner_id) for partner_id in sorted(set(active) - taken)))


_SIGNS: tuple[tuple[Callable[[OldCounts], object], Callable[[StoredPartner], object]], ...] = (
    (lambda old: old.partner_id, lambda ours: ours.id),
    (lambda old: old.impartner_id, lambda ours: ours.impartner_id),
    (lambda old: salesforce_key(old.salesforce_id), lambda ours: salesforce_key(ours.salesforce_id)),
    (lambda old: name_key(old.name), lambda ours: name_key(ours.account_name)),
)


def compare(
    pairs: Iterable[tuple[OldCounts | None, int | None]],
    new: Mapping[int, PartnerCounts],
    names: Mapping[int, str],
    cells: Mapping[int, Sequence[Cell]],
    categories: Sequence[str],
) -> tuple[Compared, ...]:
    """Each pair of old counts and our partner, with the reason of its difference.

    Where several sets of reasons add up, the one of which every reason is needed at most other partners is taken: a
    system counts by one rule.

    Args:
        pairs: old counts and partner row id that belong together; None where one is missing.
        cells: partner row id to certifications that the two systems judge differently.
        new: counts of active partners. names: of all partners. categories: those that the old counts have.
    """
    rows = [_bare(old, partner_id, new, names) for old, partner_id in pairs]
    wanted = {
        row.partner_id: _difference(row.old, row.new, categories)
        for row in rows
        if row.partner_id is not None and row.old and row.new
    }
    fits = {key: _fits(each, cells.get(key, ()), categories) for key, each in wanted.items()}
    certain = Counter(reason for found in fits.values() if len(found) == 1 for reason in found[0])
    judged = []
    for row in rows:
        if row.partner_id in wanted:
            of_partner = cells.get(row.partner_id, ())
            row = _judged(row, wanted[row.partner_id], fits[row.partner_id], of_partner, certain)
        judged.append(row)
    return tuple(judged)


def _bare(
    old: OldCounts | None, partner_id: int | None, new: Mapping[int, PartnerCounts], names: Mapping[int, str]
) -> Compared:
    counts = new.get(partner_id) if partner_id is not None else None
    if old is None:
        return Compared(names.get(partner_id or 0, ""), partner_id, None, counts, Fit.NEW_ONLY)
    fit = Fit.OLD_ONLY if partner_id is None else Fit.INACTIVE_HERE if counts is None else Fit.EQUAL
    return Compared(old.name, partner_id, old, counts, fit)


def _judged(
    row: Compared, wanted: Numbers, fits: Sequence[Reasons], cells: Sequence[Cell], certain: Counter[str]
) -> Compared:
    if not any(wanted):
        return row
    fit = Fit.EXPLAINED
    if not fits and wanted[0]:
        fit, fits = Fit.NPCU_EXPLAINED, _fits(wanted[:1], cells, ())
    if not fits:
        possible = [effect for reason in _all_reasons(cells) for effect in effects_of(cells, frozenset({reason}))]
        fit = Fit.UNEXPLAINED if wanted[0] else Fit.OTHER_CATEGORIES
        return replace(row, fit=fit, possible=tuple(possible))
    best = min(fits, key=lambda each: (-min(certain[reason] for reason in each), len(each), sorted(each)))
    return replace(row, fit=fit, reasons=effects_of(cells, best), ambiguous=len(fits) > 1)


def _fits(wanted: Numbers, cells: Sequence[Cell], categories: Sequence[str]) -> list[Reasons]:
    """Every set of reasons that adds up to what is wanted and of which none can be left out; none for no difference."""
    if not any(wanted):
        return []
    numbers = [(cell, _numbers(cell.npcu, cell.by_category, categories)) for cell in cells]
    found: list[Reasons] = []
    reasons = _all_reasons(cells)[:MOST_REASONS]
    for size in range(1, len(reasons) + 1):
        for chosen in map(frozenset, combinations(reasons, size)):
            moving = [each for cell, each in numbers if cell.cause_within(chosen) is not None]
            adds_up = tuple(map(sum, zip(*moving, strict=True))) == wanted
            if adds_up and not any(smaller <= chosen for smaller in found):
                found.append(chosen)
    return found


def _all_reasons(cells: Iterable[Cell]) -> list[str]:
    """Every reason that occurs, those of most points first."""
    weight: Counter[str] = Counter()
    for cell in cells:
        for reason in cell.needs.union(*cell.missed_by):
            weight[reason] += abs(cell.npcu)
    return sorted(weight, key=lambda reason: (-weight[reason], reason))


def _difference(old: OldCounts, new: PartnerCounts, categories: Sequence[str]) -> Numbers:
    before = _numbers(old.total_npcu, old.by_category, categories)
    after = _numbers(new.total_npcu, new.by_category, categories)
    return tuple(b - a for a, b in zip(before, after, strict=True))


def _numbers(npcu: int, by_category: Mapping[str, int], categories: Sequence[str]) -> Numbers:
    return (npcu, *(by_category.get(category, 0) for category in categories))
