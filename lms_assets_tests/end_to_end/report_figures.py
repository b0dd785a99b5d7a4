"""Every figure of both reports by the names that the reports give them, worked out by the oracle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lms_assets_tests.oracle.holding import CATEGORIES, months_later
from lms_assets_tests.oracle.reports import WEEK, Figures, ReportOracle


def pam_figures(oracle: ReportOracle, row_of: Mapping[int, int], mine: list[int]) -> Figures:
    at, since = oracle.at, oracle.at - WEEK
    right: Figures = {}
    for each in mine:
        right |= {f"partners.{row_of[each]}.{name}": value for name, value in _partner_figures(oracle, each).items()}
    statuses = [oracle.standing(each)[0] for each in mine]
    right |= {
        "totals.partners": len(mine),
        "totals.npcu.now": oracle.npcu(mine, at),
        "totals.npcu.before": oracle.npcu(mine, since) if mine else None,
        "totals.certifications": oracle.number(mine, at),
        "totals.uncategorised": _without_category(oracle, mine),
        "totals.people": oracle.people(mine),
        "totals.gained": sum(held.npcu for each in mine for held in oracle.gained(each, since, at)),
        "totals.lost": sum(held.npcu for each in mine for held in oracle.gained(each, at, since)),
        "totals.below": statuses.count("below"),
        "totals.about_to_fall": statuses.count("about to fall below"),
        "totals.people_in_no_group": sum(map(oracle.people_in_no_group, mine)),
        "totals.contacts_not_in_lms": sum(map(oracle.contacts_not_in_lms, mine)),
        "totals.leads_last_30_days": sum(map(oracle.leads, mine)),
        **_by_category("totals", oracle, mine),
        **expiring(oracle, mine, (30, 60, 90)),
        **weeks(oracle, mine),
    }
    return right


def _partner_figures(oracle: ReportOracle, each: int) -> Figures:
    at, since = oracle.at, oracle.at - WEEK
    status, fell, falls = oracle.standing(each)
    left = [held.npcu for held in oracle.held(each, at).values() if falls is not None and held.expires > falls]
    return {
        "npcu.now": oracle.npcu([each], at),
        "npcu.before": oracle.npcu([each], since),
        "standing.status": status,
        "standing.requirement": oracle.required(each),
        "standing.npcu": oracle.npcu([each], at),
        "standing.since": fell,
        "standing.falls_at": falls,
        "standing.falls_to": sum(left) if falls else None,
        "certifications": oracle.number([each], at),
        "people": len(oracle.partners[each].user_ids),
        "people_in_no_group": oracle.people_in_no_group(each),
        "contacts_not_in_lms": oracle.contacts_not_in_lms(each),
        "leads_last_30_days": oracle.leads(each),
        "gained": sum(held.npcu for held in oracle.gained(each, since, at)),
        "lost": sum(held.npcu for held in oracle.gained(each, at, since)),
        "expiring_90": len(oracle.expiring([each], 90)),
        **{name.removeprefix("."): value for name, value in _by_category("", oracle, [each]).items()},
    }


def _by_category(prefix: str, oracle: ReportOracle, mine: list[int]) -> Figures:
    numbers = {category: oracle.number(mine, oracle.at, category) for category in CATEGORIES}
    return {f"{prefix}.by_category.{category}": number for category, number in numbers.items() if number}


def _without_category(oracle: ReportOracle, mine: list[int]) -> int:
    return sum(held.category is None for each in mine for held in oracle.held(each, oracle.at).values())


def expiring(oracle: ReportOracle, mine: list[int], windows: tuple[int, ...]) -> Figures:
    right: Figures = {}
    for days in windows:
        found = oracle.expiring(mine, days)
        right[f"expiring_within.{days}.certifications"] = len(found)
        right[f"expiring_within.{days}.npcu"] = sum(held.npcu for held in found)
    return right


def weeks(oracle: ReportOracle, mine: list[int]) -> Figures:
    back = {
        f"npcu_by_week.{(oracle.at - WEEK * k).date()}.value": oracle.npcu(mine, oracle.at - WEEK * k)
        for k in range(26)
    }
    ahead = {
        f"expiries_by_week.{(oracle.at + WEEK * k).date()}.value": len(oracle.expiring(mine, 7 * k + 7, 7 * k))
        for k in range(13)
    }
    return back | ahead


def overall_figures(oracle: ReportOracle, everybody: list[int]) -> Figures:
    people = [person for each in everybody for person in oracle.partners[each].user_ids]
    quiet = [each for each in everybody if not busy(oracle, each)]
    right: Figures = {
        "partners": len(everybody),
        "people": len(set(people)),
        "people_of_several": len({person for person in people if people.count(person) > 1}),
        "certifications": oracle.number(everybody, oracle.at),
        "uncategorised": _without_category(oracle, everybody),
        "quiet_partners": len(quiet),
    }
    stocks = {"totals.npcu": oracle.npcu, "totals.certifications": oracle.number}
    held = {category: oracle.number(everybody, oracle.at, category) for category in CATEGORIES}
    for name, figure in stocks.items():
        right |= _stock(oracle, name, lambda at, figure=figure: figure(everybody, at))
    for category in (each for each, number in held.items() if number):
        right |= _stock(
            oracle, f"categories.{category}", lambda at, category=category: oracle.number(everybody, at, category)
        )
    for name, start in oracle.periods().items():
        gained = [one for each in everybody for one in oracle.gained(each, start, oracle.at)]
        begin, end = months_later(start, -12), months_later(oracle.at, -12)
        before = [one for each in everybody for one in oracle.gained(each, begin, end)]
        right |= {
            f"earned.{name}.certifications": len(gained),
            f"earned.{name}.npcu": sum(one.npcu for one in gained),
            f"earned.{name}.certifications_last_year": len(before),
            f"earned.{name}.npcu_last_year": sum(one.npcu for one in before),
        }
    return right


def busy(oracle: ReportOracle, each: int) -> bool:
    since = oracle.at - 90 * WEEK / 7
    held = oracle.held(each, oracle.at).values()
    return bool(oracle.gained(each, since, oracle.at)) or any(one.completed > since for one in held)


def _stock(oracle: ReportOracle, name: str, figure: Any) -> Figures:
    right: Figures = {f"{name}.now": figure(oracle.at)}
    for period, start in oracle.periods().items():
        day = oracle.at_that_time
        right |= {
            f"{name}.periods.{period}.change.now": figure(oracle.at),
            f"{name}.periods.{period}.change.before": figure(day(start)),
            f"{name}.periods.{period}.last_year.now": figure(day(months_later(oracle.at, -12))),
            f"{name}.periods.{period}.last_year.before": figure(day(months_later(start, -12))),
        }
    return right


def share_figures(oracle: ReportOracle, prefix: str, members: list[int], *, tier: bool = False) -> Figures:
    statuses = [oracle.standing(each)[0] for each in members]
    asked = {oracle.required(each) for each in members}
    return {
        f"{prefix}.partners": len(members),
        f"{prefix}.people": oracle.people(members),
        f"{prefix}.certifications": oracle.number(members, oracle.at),
        f"{prefix}.npcu.now": oracle.npcu(members, oracle.at),
        f"{prefix}.npcu.before": oracle.npcu(members, oracle.at - WEEK),
        f"{prefix}.requirement": asked.pop() if len(asked) == 1 else 0,
        f"{prefix}.asked": len(members) - statuses.count("no requirement"),
        f"{prefix}.meets": statuses.count("meets"),
        f"{prefix}.below": statuses.count("below"),
        f"{prefix}.about_to_fall": statuses.count("about to fall below"),
        f"{prefix}.expiring_30": len(oracle.expiring(members, 30)),
    }
