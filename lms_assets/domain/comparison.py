"""Another system's counts against ours: which known differences in counting add up to what differs. Pure.

An effect is given as the reason only where effects add up exactly, in NPCU and in every category; else nothing is
claimed. That it adds up is strong evidence, and no proof: nobody saw the other system count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import combinations

from lms_assets.domain.certifications import PartnerCounts
from lms_assets.domain.count_effects import Effect
from lms_assets.domain.partner_rows import StoredPartner, name_key, salesforce_key

MOST_EFFECTS = 12
"""So many effects are tried together, the largest; 4,096 sums a partner."""

Numbers = tuple[int, ...]
"""NPCU, then the number of each compared category."""

Effects = tuple[Effect, ...]


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
        reasons: effects that add up to the difference; empty when nothing does.
        ambiguous: other effects add up just as well.
        possible: every effect at this partner, for a difference that nothing explains.
    """

    name: str
    partner_id: int | None
    old: OldCounts | None
    new: PartnerCounts | None
    fit: Fit
    reasons: Effects = ()
    ambiguous: bool = False
    possible: Effects = ()

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
    effects: Mapping[int, Effects],
    categories: Sequence[str],
) -> tuple[Compared, ...]:
    """Each pair of old counts and our partner, with the reason of its difference.

    Where several sets of effects add up, the one that adds up at most partners is taken: a system counts by one rule.

    Args:
        new: counts of active partners. names: of all partners. categories: those that the old counts have.
    """
    rows = list(pairs)
    fits: dict[int, list[Effects]] = {}
    for old, partner_id in rows:
        if old is not None and partner_id is not None and partner_id in new:
            wanted = _difference(old, new[partner_id], categories)
            fits[partner_id] = _fits(wanted, effects.get(partner_id, ()), categories)
    common = Counter(_reasons(each) for found in fits.values() for each in found)
    compared = []
    for old, partner_id in rows:
        counts = new.get(partner_id) if partner_id is not None else None
        name = old.name if old is not None else names.get(partner_id or 0, "")
        row = Compared(name, partner_id, old, counts, Fit.NEW_ONLY)
        if old is not None and (counts is None or partner_id is None):
            row = replace(row, fit=Fit.OLD_ONLY if partner_id is None else Fit.INACTIVE_HERE)
        elif old is not None and counts is not None and partner_id is not None:
            wanted = _difference(old, counts, categories)
            row = _judged(row, wanted, fits[partner_id], effects.get(partner_id, ()), common)
        compared.append(row)
    return tuple(compared)


def _judged(
    row: Compared, wanted: Numbers, fits: Sequence[Effects], possible: Effects, common: Counter[frozenset[str]]
) -> Compared:
    if not any(wanted):
        return replace(row, fit=Fit.EQUAL)
    fit = Fit.EXPLAINED
    if not fits:
        if not wanted[0]:
            return replace(row, fit=Fit.OTHER_CATEGORIES, possible=possible)
        fit, fits = Fit.NPCU_EXPLAINED, _fits(wanted[:1], possible, ())
    if not fits:
        return replace(row, fit=Fit.UNEXPLAINED, possible=possible)
    best = min(fits, key=lambda each: (-common[_reasons(each)], len(each), sorted(_reasons(each))))
    return replace(row, fit=fit, reasons=best, ambiguous=len(fits) > 1, possible=possible)


def _fits(wanted: Numbers, possible: Effects, categories: Sequence[str]) -> list[Effects]:
    """Every set of effects that adds up to what is wanted; none for a difference of nothing."""
    if not any(wanted):
        return []
    moving = [(each, _numbers(each.npcu, each.by_category, categories)) for each in possible]
    moving = sorted((pair for pair in moving if any(pair[1])), key=lambda pair: -abs(pair[0].npcu))[:MOST_EFFECTS]
    return [
        tuple(each for each, _ in chosen)
        for size in range(1, len(moving) + 1)
        for chosen in combinations(moving, size)
        if tuple(map(sum, zip(*(numbers for _, numbers in chosen), strict=True))) == wanted
    ]


def _difference(old: OldCounts, new: PartnerCounts, categories: Sequence[str]) -> Numbers:
    before = _numbers(old.total_npcu, old.by_category, categories)
    after = _numbers(new.total_npcu, new.by_category, categories)
    return tuple(b - a for a, b in zip(before, after, strict=True))


def _numbers(npcu: int, by_category: Mapping[str, int], categories: Sequence[str]) -> Numbers:
    return (npcu, *(by_category.get(category, 0) for category in categories))


def _reasons(effects: Effects) -> frozenset[str]:
    return frozenset(each.reason for each in effects)
