"""The figures of the executives' roll-up over all active partners. Pure, and without any person's name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta

from lms_assets.domain.counting.compliance import Standing, requirement_of
from lms_assets.domain.counting.periods import QUIET_DAYS, WEEK, spans
from lms_assets.domain.counting.report_facts import PartnerFacts, Snapshot
from lms_assets.reports.figures.inputs import Material, expiries_by_week, expiring_within, npcu_by_week, sum_on
from lms_assets.reports.figures.model import (
    Change,
    EarnedLine,
    ExecutiveReport,
    RankLine,
    ShareLine,
    SpanLine,
    StockLine,
)

WINDOWS = (30, 90)
RANKED = 10
GROWTH_WEEKS = 13
UNKNOWN = "(not set)"


def build_executive_report(material: Material) -> ExecutiveReport:
    """The roll-up of `material`."""
    partners = material.partners
    ids = [partner.id for partner in partners]
    held = material.held_by(ids)
    standings = {partner.id: material.standing_of(partner) for partner in partners}
    people = material.people_of(ids)
    npcu = _stock(material, "npcu", lambda found: found.total_npcu, sum(_npcu(material, each) for each in ids))
    certifications = sum(sum(material.counts_of(each).by_category.values()) for each in ids)
    quiet = _quiet(material)

    def shares(name_of: Callable[[PartnerFacts], str | None]) -> tuple[ShareLine, ...]:
        return _shares(material, standings, name_of)

    return ExecutiveReport(
        frame=material.frame,
        partners=len(partners),
        people=len(people),
        people_of_several=_people_of_several(material, ids),
        certifications=certifications,
        uncategorised=sum(material.counts_of(each).uncategorised for each in ids),
        totals=(npcu, _stock(material, "certifications", lambda found: found.certifications, certifications)),
        earned=_earned(material),
        overall=_share(material, standings, "all partners", partners),
        tiers=_in_order_of_requirement(material, shares(lambda partner: partner.tier)),
        regions=shares(lambda partner: partner.region),
        pams=shares(lambda partner: partner.owner),
        categories=_categories(material),
        expiring_within=expiring_within(material, held, WINDOWS),
        top=_top(material),
        growing=_growing(material),
        quiet=_ranked(material, quiet[:RANKED]),
        quiet_partners=len(quiet),
        npcu_by_week=npcu_by_week(material, ids),
        expiries_by_week=expiries_by_week(material, held),
        fell_below=_fell_below(material, standings),
    )


def _npcu(material: Material, partner_id: int) -> int:
    return material.counts_of(partner_id).total_npcu


def _stock(material: Material, key: str, figure: Callable[[Snapshot], int], now: int) -> StockLine:
    ids = [partner.id for partner in material.partners]
    lines = []
    for span in spans(material.frame.as_of):
        earlier = span.a_year_earlier()
        then = sum_on(material.past, ids, earlier.end.date(), figure)
        before = sum_on(material.past, ids, earlier.start.date(), figure)
        change = Change(now, sum_on(material.past, ids, span.start.date(), figure))
        lines.append(SpanLine(span.name, change, None if then is None else Change(then, before)))
    return StockLine(key, now, tuple(lines))


def _categories(material: Material) -> tuple[StockLine, ...]:
    ids = [partner.id for partner in material.partners]
    known = {category for each in ids for category in material.counts_of(each).by_category}
    lines = []
    for category in sorted(known):
        now = sum(material.counts_of(each).by_category.get(category, 0) for each in ids)
        lines.append(_stock(material, category, _of_category(category), now))
    return tuple(sorted(lines, key=lambda line: (-line.now, line.key)))


def _of_category(category: str) -> Callable[[Snapshot], int]:
    return lambda found: found.by_category.get(category, 0)


def _earned(material: Material) -> tuple[EarnedLine, ...]:
    holdings = material.holdings
    lines = []
    for span in spans(material.frame.as_of):
        earlier = span.a_year_earlier()
        now, then = holdings.gained(span.start, span.end), holdings.gained(earlier.start, earlier.end)
        active = {partner.id for partner in material.partners}
        now = tuple(item for item in now if item.partner_id in active)
        then = tuple(item for item in then if item.partner_id in active)
        lines.append(
            EarnedLine(span.name, len(now), sum(item.npcu for item in now), len(then), sum(item.npcu for item in then))
        )
    return tuple(lines)


def _people_of_several(material: Material, ids: Iterable[int]) -> int:
    partners_of = Counter(person for each in ids for person in material.holdings.people.get(each, ()))
    return sum(number > 1 for number in partners_of.values())


def _shares(
    material: Material, standings: Mapping[int, Standing], name_of: Callable[[PartnerFacts], str | None]
) -> tuple[ShareLine, ...]:
    """One line for each name, most NPCU first; names are compared without case and outer blanks."""
    groups: dict[str, list[PartnerFacts]] = {}
    shown: dict[str, str] = {}
    for partner in material.partners:
        name = (name_of(partner) or "").strip() or UNKNOWN
        shown.setdefault(name.casefold(), name)
        groups.setdefault(name.casefold(), []).append(partner)
    lines = [_share(material, standings, shown[key], found) for key, found in groups.items()]
    return tuple(sorted(lines, key=lambda line: (-line.npcu.now, line.key)))


def _share(
    material: Material, standings: Mapping[int, Standing], key: str, partners: Sequence[PartnerFacts]
) -> ShareLine:
    ids = [partner.id for partner in partners]
    week_ago = sum_on(material.past, ids, material.frame.since.date(), lambda found: found.total_npcu)
    found = Counter(standings[each].status for each in ids)
    requirements = {requirement_of(each.tier, material.config.tier_requirements) for each in partners}
    return ShareLine(
        key=key,
        partners=len(ids),
        people=len(material.people_of(ids)),
        certifications=sum(sum(material.counts_of(each).by_category.values()) for each in ids),
        npcu=Change(sum(_npcu(material, each) for each in ids), week_ago),
        requirement=requirements.pop() if len(requirements) == 1 else 0,
        asked=len(ids) - found["no requirement"],
        meets=found["meets"],
        below=found["below"],
        about_to_fall=found["about to fall below"],
        expiring_30=expiring_within(material, material.held_by(ids), (30,))[0].certifications,
    )


def _in_order_of_requirement(material: Material, lines: Sequence[ShareLine]) -> tuple[ShareLine, ...]:
    order = [tier.casefold() for tier in material.config.tier_requirements]
    place = {tier: number for number, tier in enumerate(order)}
    return tuple(sorted(lines, key=lambda line: (place.get(line.key.casefold(), len(place)), line.key)))


def _top(material: Material) -> tuple[RankLine, ...]:
    ranked = sorted(material.partners, key=lambda each: (-_npcu(material, each.id), each.name.casefold(), each.id))
    return _ranked(material, [each for each in ranked if _npcu(material, each.id)][:RANKED])


def _growing(material: Material) -> tuple[RankLine, ...]:
    """Most NPCU gained since thirteen weeks ago; a partner of which nothing is known then is not ranked."""
    lines = _ranked(material, material.partners)
    grown = [line for line in lines if (line.npcu.difference or 0) > 0]
    return tuple(sorted(grown, key=lambda line: (-(line.npcu.difference or 0), line.name.casefold(), line.key)))[
        :RANKED
    ]


def _quiet(material: Material) -> list[PartnerFacts]:
    """Partners none of whose people completed a certification in 90 days, most NPCU first."""
    since = material.frame.as_of - timedelta(days=QUIET_DAYS)
    busy = {item.partner_id for item in material.holdings.gained(since)}
    for partner in material.partners:
        held = material.holdings.by_partner.get(partner.id, ())
        if any(item.completed_at is not None and item.completed_at > since for item in held):
            busy.add(partner.id)
    quiet = [partner for partner in material.partners if partner.id not in busy]
    return sorted(quiet, key=lambda each: (-_npcu(material, each.id), each.name.casefold(), each.id))


def _fell_below(material: Material, standings: Mapping[int, Standing]) -> tuple[RankLine, ...]:
    fallen = [partner for partner in material.partners if material.fell_this_week(partner.id, standings[partner.id])]
    return _ranked(material, sorted(fallen, key=lambda each: (each.name.casefold(), each.id)))


def _ranked(material: Material, partners: Iterable[PartnerFacts]) -> tuple[RankLine, ...]:
    day = (material.frame.as_of - WEEK * GROWTH_WEEKS).date()
    return tuple(
        RankLine(
            key=partner.id,
            name=partner.name,
            tier=partner.tier or "",
            region=partner.region or UNKNOWN,
            owner=partner.owner or UNKNOWN,
            npcu=material.npcu_change(partner.id, day),
            url=material.config.partner_url(partner.id),
        )
        for partner in partners
    )
