"""Each figure of the executives' roll-up on a vendor state small enough to be worked out on paper."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lms_assets.domain.counting.holdings import CountingInputs
from lms_assets.domain.counting.report_facts import PartnerFacts
from lms_assets.reports.config import ReportConfig
from lms_assets.reports.figures.executive import build_executive_report
from lms_assets.reports.figures.model import addressed
from lms_assets.reports.rendering.render import Renderer
from lms_assets_tests.reports.scenarios import AT, course, done, inputs, member

DAY = timedelta(days=1)
PARTNERS = [
    PartnerFacts(1, "Acorn", "Select", region="EMEA", owner="Olga"),
    PartnerFacts(2, "Beech", "Select", region="emea ", owner="Pete"),
    PartnerFacts(3, "Cherry", "Registered", region=None, owner="Olga"),
]
COURSES = {
    "ce": course("ce", 1, "nintex_ce"),
    "k2": course("k2", 2, "nintex_k2"),
    "free": course("free", 1, None),
}
ENROLLMENTS = (
    done("ann", "k2", datetime(2026, 11, 20, 12, tzinfo=UTC)),  # Acorn and Cherry: 2, this week
    done("ann", "ce", datetime(2026, 11, 1, 12, tzinfo=UTC), AT + 20 * DAY),  # Acorn and Cherry: 1, this month
    done("bob", "ce", datetime(2026, 2, 1, 12, tzinfo=UTC), AT + 60 * DAY),  # Beech: 1, this year
    done("bob", "k2", datetime(2025, 11, 20, 12, tzinfo=UTC)),  # Beech: 2, in last year's same week
    done("bob", "free", datetime(2025, 3, 1, 12, tzinfo=UTC)),  # Beech: 1, in last year's same year to date
    done("bea", "ce", datetime(2024, 6, 1, 12, tzinfo=UTC)),  # Beech: 1, expired on 2026-06-01
)
MEMBERS = (
    member(1, "ann"),
    member(3, "ann"),
    member(2, "bob"),
    member(2, "bea"),
)
CONFIG = ReportConfig(tier_requirements={"Select": 4, "Registered": 0})


@pytest.fixture(scope="module")
def report():
    return build_executive_report(inputs(CountingInputs(MEMBERS, ENROLLMENTS, COURSES), PARTNERS, config=CONFIG))


@pytest.fixture(scope="module")
def figures(report):
    return addressed(report)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("partners", 3),
        ("people", 3),
        ("people_of_several", 1),
        ("certifications", 6),
        ("uncategorised", 1),
        ("totals.npcu.now", 10),
        ("totals.npcu.periods.week.change.before", 6),
        ("totals.npcu.periods.month.change.before", 4),
        ("totals.npcu.periods.year to date.change.before", 4),
        ("totals.npcu.periods.week.last_year.now", 4),
        ("totals.npcu.periods.week.last_year.before", 2),
        ("totals.npcu.periods.month.last_year.before", 2),
        ("totals.npcu.periods.year to date.last_year.before", 1),
        ("totals.certifications.now", 6),
        ("totals.certifications.periods.week.change.before", 4),
        ("categories.nintex_ce.now", 3),
        ("categories.nintex_ce.periods.month.change.before", 1),
        ("categories.nintex_k2.now", 3),
        ("categories.nintex_k2.periods.week.last_year.now", 1),
        ("earned.week.certifications", 2),
        ("earned.week.npcu", 4),
        ("earned.week.certifications_last_year", 1),
        ("earned.week.npcu_last_year", 2),
        ("earned.month.certifications", 4),
        ("earned.month.npcu", 6),
        ("earned.year to date.certifications", 5),
        ("earned.year to date.npcu", 7),
        ("earned.year to date.certifications_last_year", 2),
        ("overall.asked", 2),
        ("overall.below", 1),
        ("overall.meets", 0),
        ("overall.about_to_fall", 1),
        ("tiers.Select.partners", 2),
        ("tiers.Select.requirement", 4),
        ("tiers.Registered.asked", 0),
        ("regions.EMEA.partners", 2),
        ("regions.EMEA.npcu.now", 7),
        ("regions.EMEA.npcu.before", 5),
        ("regions.EMEA.people", 3),
        ("regions.(not set).npcu.now", 3),
        ("pams.Olga.partners", 2),
        ("pams.Olga.people", 1),
        ("pams.Olga.npcu.now", 6),
        ("pams.Olga.expiring_30", 2),
        ("pams.Pete.npcu.now", 4),
        ("expiring_within.30.certifications", 2),
        ("expiring_within.30.npcu", 2),
        ("expiring_within.90.certifications", 3),
        ("quiet_partners", 1),
    ],
)
def test_the_figure_is_what_paper_says(figures, name, value):
    assert figures[name] == value


def test_compliance_counts_partners_that_meet_the_requirement_now(report):
    assert report.overall.compliance == 50.0
    assert [(line.key, line.compliance) for line in report.tiers] == [("Select", 50.0), ("Registered", None)]


def test_top_partners_are_those_with_the_most_npcu(report):
    assert [(line.name, line.npcu.now) for line in report.top] == [("Beech", 4), ("Acorn", 3), ("Cherry", 3)]


def test_the_fastest_growing_gained_most_in_thirteen_weeks(report):
    assert [(line.name, line.npcu.difference) for line in report.growing] == [("Acorn", 3), ("Cherry", 3)]


def test_quiet_partners_completed_nothing_in_ninety_days(report):
    assert [line.name for line in report.quiet] == ["Beech"]


def test_it_holds_no_name_of_a_person():
    names = {"ann": "Ann Example", "bob": "Bob Example", "bea": "Bea Example"}
    scenario = CountingInputs(MEMBERS, ENROLLMENTS, COURSES)
    rendered = Renderer(CONFIG).render(build_executive_report(inputs(scenario, PARTNERS, names=names, config=CONFIG)))

    assert "Acorn" in rendered.html
    assert "Example" not in rendered.html + rendered.text


def test_a_scenario_without_partners_still_makes_a_report():
    report = build_executive_report(inputs(CountingInputs((), (), {}), []))

    assert report.partners == 0
    assert report.overall.compliance is None
