"""The figures of the executives' roll-up over all active partners. Pure, and without any person's name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta

from lms_assets.domain.counting.compliance import Standing, requirement_of
from lms_assets.domain.counting.periods import QUIET_DAYS, WEEK, periods
from lms_assets.domain.counting.report_facts import PartnerFacts, Snapshot
from lms_assets.reports.figures.inputs import ReportInputs, expiries_by_week, expiring_within, npcu_by_week, sum_on
from lms_assets.reports.figures.model import (
    Change,
    EarnedLine,
    ExecutiveReport,
    PeriodLine,
    RankLine,
    ShareLine,
    StockLine,
)

WINDOWS = (30, 90)
RANKED = 10
GROWTH_WEEKS = 13
UNKNOWN = "(not set)"


def build_executive_report(inputs: ReportInputs) -> ExecutiveReport:
    """The roll-up of `inputs`."""
    partners = inputs.partners
    ids = [partner.id for partner in partners]
    held = inputs.held_by(ids)
    standings = {partner.id: inputs.standing_of(partner) for partner in partners}
    people = inputs.people_of(ids)
    npcu = _stock(inputs, "npcu", lambda found: found.total_npcu, sum(_npcu(inputs, each) for each in ids))
    certifications = sum(sum(inputs.counts_of(each).by_category.values()) for each in ids)
    quiet = _quiet(inputs)

    def shares(name_of: Callable[[PartnerFacts], str | None]) -> tuple[ShareLine, ...]:
        return _shares(inputs, standings, name_of)

    return ExecutiveReport(
        frame=inputs.frame,
        partners=len(partners),
        people=len(people),
        people_of_several=_people_of_several(inputs, ids),
        certifications=certifications,
        uncategorised=sum(inputs.counts_of(each).uncategorised for each in ids),
        totals=(npcu, _stock(inputs, "certifications", lambda found: found.certifications, certifications)),
        earned=_earned(inputs),
        overall=_share(inputs, standings, "all partners", partners),
        tiers=_in_order_of_requirement(inputs, shares(lambda partner: partner.tier)),
        regions=shares(lambda partner: partner.region),
        pams=shares(lambda partner: partner.owner),
        categories=_categories(inputs),
        expiring_within=expiring_within(inputs, held, WINDOWS),
        top=_top(inputs),
        growing=_growing(inputs),
        quiet=_ranked(inputs, quiet[:RANKED]),
        quiet_partners=len(quiet),
        npcu_by_week=npcu_by_week(inputs, ids),
        expiries_by_week=expiries_by_week(inputs, held),
        fell_below=_fell_below(inputs, standings),
        withheld=_ranked(inputs, sorted(_withheld(inputs), key=lambda each: (each.name.casefold(), each.id))),
    )


def _npcu(inputs: ReportInputs, partner_id: int) -> int:
    return inputs.counts_of(partner_id).total_npcu


def _stock(inputs: ReportInputs, key: str, figure: Callable[[Snapshot], int], now: int) -> StockLine:
    ids = [partner.id for partner in inputs.partners]
    lines = []
    for period in periods(inputs.frame.as_of):
        earlier = period.a_year_earlier()
        then = sum_on(inputs.past, ids, earlier.end.date(), figure)
        before = sum_on(inputs.past, ids, earlier.start.date(), figure)
        change = Change(now, sum_on(inputs.past, ids, period.start.date(), figure))
        lines.append(PeriodLine(period.name, change, None if then is None else Change(then, before)))
    return StockLine(key, now, tuple(lines))


def _categories(inputs: ReportInputs) -> tuple[StockLine, ...]:
    ids = [partner.id for partner in inputs.partners]
    known = {category for each in ids for category in inputs.counts_of(each).by_category}
    lines = []
    for category in sorted(known):
        now = sum(inputs.counts_of(each).by_category.get(category, 0) for each in ids)
        lines.append(_stock(inputs, category, _of_category(category), now))
    return tuple(sorted(lines, key=lambda line: (-line.now, line.key)))


def _of_category(category: str) -> Callable[[Snapshot], int]:
    return lambda found: found.by_category.get(category, 0)


def _earned(inputs: ReportInputs) -> tuple[EarnedLine, ...]:
    holdings = inputs.holdings
    lines = []
    for period in periods(inputs.frame.as_of):
        earlier = period.a_year_earlier()
        now, then = holdings.gained(period.start, period.end), holdings.gained(earlier.start, earlier.end)
        active = {partner.id for partner in inputs.partners}
        now = tuple(item for item in now if item.partner_id in active)
        then = tuple(item for item in then if item.partner_id in active)
        lines.append(
            EarnedLine(
                period.name, len(now), sum(item.npcu for item in now), len(then), sum(item.npcu for item in then)
            )
        )
    return tuple(lines)


def _people_of_several(inputs: ReportInputs, ids: Iterable[int]) -> int:
    partners_of = Counter(person for each in ids for person in inputs.holdings.people.get(each, ()))
    return sum(number > 1 for number in partners_of.values())


def _shares(
    inputs: ReportInputs, standings: Mapping[int, Standing], name_of: Callable[[PartnerFacts], str | None]
) -> tuple[ShareLine, ...]:
    """One line for each name, most NPCU first; names are compared without case and outer blanks."""
    groups: dict[str, list[PartnerFacts]] = {}
    shown: dict[str, str] = {}
    for partner in inputs.partners:
        name = (name_of(partner) or "").strip() or UNKNOWN
        shown.setdefault(name.casefold(), name)
        groups.setdefault(name.casefold(), []).append(partner)
    lines = [_share(inputs, standings, shown[key], found) for key, found in groups.items()]
    return tuple(sorted(lines, key=lambda line: (-line.npcu.now, line.key)))


def _share(
    inputs: ReportInputs, standings: Mapping[int, Standing], key: str, partners: Sequence[PartnerFacts]
) -> ShareLine:
    ids = [partner.id for partner in partners]
    week_ago = sum_on(inputs.past, ids, inputs.frame.since.date(), lambda found: found.total_npcu)
    found = Counter(standings[each].status for each in ids)
    requirements = {requirement_of(each.tier, inputs.config.tier_requirements) for each in partners}
    return ShareLine(
        key=key,
        partners=len(ids),
        people=len(inputs.people_of(ids)),
        certifications=sum(sum(inputs.counts_of(each).by_category.values()) for each in ids),
        npcu=Change(sum(_npcu(inputs, each) for each in ids), week_ago),
        requirement=requirements.pop() if len(requirements) == 1 else 0,
        asked=len(ids) - found["no requirement"],
        meets=found["meets"],
        below=found["below"],
        about_to_fall=found["about to fall below"],
        expiring_30=expiring_within(inputs, inputs.held_by(ids), (30,))[0].certifications,
    )


def _in_order_of_requirement(inputs: ReportInputs, lines: Sequence[ShareLine]) -> tuple[ShareLine, ...]:
    order = [tier.casefold() for tier in inputs.config.tier_requirements]
    place = {tier: number for number, tier in enumerate(order)}
    return tuple(sorted(lines, key=lambda line: (place.get(line.key.casefold(), len(place)), line.key)))


def _top(inputs: ReportInputs) -> tuple[RankLine, ...]:
    ranked = sorted(inputs.partners, key=lambda each: (-_npcu(inputs, each.id), each.name.casefold(), each.id))
    return _ranked(inputs, [each for each in ranked if _npcu(inputs, each.id)][:RANKED])


def _growing(inputs: ReportInputs) -> tuple[RankLine, ...]:
    """Most NPCU gained since thirteen weeks ago; a partner of which nothing is known then is not ranked."""
    lines = _ranked(inputs, inputs.partners)
    grown = [line for line in lines if (line.npcu.difference or 0) > 0]
    return tuple(sorted(grown, key=lambda line: (-(line.npcu.difference or 0), line.name.casefold(), line.key)))[
        :RANKED
    ]


def _quiet(inputs: ReportInputs) -> list[PartnerFacts]:
    """Partners none of whose people completed a certification in 90 days, most NPCU first."""
    since = inputs.frame.as_of - timedelta(days=QUIET_DAYS)
    busy = {item.partner_id for item in inputs.holdings.gained(since)}
    for partner in inputs.partners:
        held = inputs.holdings.by_partner.get(partner.id, ())
        if any(item.completed_at is not None and item.completed_at > since for item in held):
            busy.add(partner.id)
    quiet = [partner for partner in inputs.partners if partner.id not in busy]
    return sorted(quiet, key=lambda each: (-_npcu(inputs, each.id), each.name.casefold(), each.id))


def _fell_below(inputs: ReportInputs, standings: Mapping[int, Standing]) -> tuple[RankLine, ...]:
    fallen = [partner for partner in inputs.partners if inputs.fell_this_week(partner.id, standings[partner.id])]
    return _ranked(inputs, sorted(fallen, key=lambda each: (each.name.casefold(), each.id)))


def _withheld(inputs: ReportInputs) -> list[PartnerFacts]:
    return [partner for partner in inputs.partners if partner.id in inputs.withheld]


def _ranked(inputs: ReportInputs, partners: Iterable[PartnerFacts]) -> tuple[RankLine, ...]:
    day = (inputs.frame.as_of - WEEK * GROWTH_WEEKS).date()
    return tuple(
        RankLine(
            key=partner.id,
            name=partner.name,
            tier=partner.tier or "",
            region=partner.region or UNKNOWN,
            owner=partner.owner or UNKNOWN,
            npcu=inputs.npcu_change(partner.id, day),
            url=inputs.config.partner_url(partner.id),
            withheld=inputs.withheld.get(partner.id),
        )
        for partner in partners
    )
