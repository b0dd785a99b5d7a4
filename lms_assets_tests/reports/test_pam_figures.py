"""Each figure of a PAM's report on a vendor state small enough to be worked out on paper."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from lms_assets.domain.counting.holdings import CountingInputs, Held
from lms_assets.domain.counting.report_facts import PartnerFacts
from lms_assets.reports.config import ReportConfig
from lms_assets.reports.figures.model import Change, addressed
from lms_assets.reports.figures.pam import build_pam_report
from lms_assets_tests.reports.scenarios import AT, course, done, inputs, member

DAY = timedelta(days=1)
# Olga owns Acorn (Select, asks for 3), Beech (Select) and Cherry (Registered, asks for nothing); Pete owns Damson.
PARTNERS = [
    PartnerFacts(1, "Acorn", "Select", owner="Olga", leads_last_30_days=2, contacts_not_in_lms=1),
    PartnerFacts(2, "Beech", "Select", owner=" olga ", leads_last_30_days=0, people_in_no_group=1),
    PartnerFacts(3, "Cherry", "Registered", owner="Olga", leads_last_30_days=5),
    PartnerFacts(4, "Damson", "Select", owner="Pete", leads_last_30_days=7),
]
COURSES = {
    "ce": course("ce", 1, "nintex_ce", "Automation Cloud"),
    "k2": course("k2", 2, "nintex_k2", "K2 Developer"),
    "free": course("free", 1, None, "Community"),
}
ENROLLMENTS = (
    # Acorn: 2 + 1 held, the 2 until 25 days ahead; a week ago also 1 more.
    done("ann", "k2", AT - 100 * DAY, AT + 25 * DAY),
    done("ann", "ce", AT - 2 * DAY, AT + 700 * DAY),
    done("amy", "ce", AT - 400 * DAY, AT - 3 * DAY),
    done("amy", "k2", AT - 700 * DAY, AT - 200 * DAY),
    # Beech: 2 held; fell from 4 to 2 four days ago.
    done("bob", "k2", AT - 300 * DAY, AT + 80 * DAY),
    done("bea", "k2", AT - 300 * DAY, AT - 4 * DAY),
    # Cherry: ann belongs to it too.
    done("cy", "free", AT - 30 * DAY, AT + 45 * DAY),
    # Damson.
    done("dan", "k2", AT - 1 * DAY, AT + 5 * DAY),
)
MEMBERS = (
    member(1, "ann"),
    member(1, "amy"),
    member(2, "bob"),
    member(2, "bea"),
    member(3, "ann"),
    member(3, "cy"),
    member(3, "gone", "person is disabled"),
    member(4, "dan"),
)
CONFIG = ReportConfig(tier_requirements={"Select": 3, "Registered": 0}, portal_url="https://portal.example.com/")


def left(partner: int, course_id: str, category: str | None, npcu: int, when: datetime) -> Held:
    """What somebody held who left the partner: it counted in the last eight days until a counting found it gone."""
    completed, expires, start = AT - 300 * DAY, AT + 300 * DAY, AT - 8 * DAY
    return Held(partner, "left", course_id, course_id, category, npcu, completed, expires, start, when)


@pytest.fixture
def report():
    # Cherry had 4 last week: 3 are ann's and cy's, 1 belonged to somebody who left, which has no date of its own.
    known = [left(3, "ce", "nintex_ce", 1, AT - 2 * DAY)]
    scenario = CountingInputs(MEMBERS, ENROLLMENTS, COURSES)
    names = {"ann": "Ann Example", "cy": "Cy Example"}
    return build_pam_report(inputs(scenario, PARTNERS, names=names, known=known, config=CONFIG), ["Olga"])


@pytest.fixture
def figures(report):
    return addressed(report)


def test_only_the_owners_partners_are_in_it(report):
    assert [line.name for line in report.partners] == ["Acorn", "Beech", "Cherry"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("partners.1.npcu.now", 3),
        ("partners.1.npcu.before", 3),
        ("partners.1.gained", 1),
        ("partners.1.lost", 1),
        ("partners.1.certifications", 2),
        ("partners.1.by_category.nintex_ce", 1),
        ("partners.1.by_category.nintex_k2", 1),
        ("partners.1.people", 2),
        ("partners.1.contacts_not_in_lms", 1),
        ("partners.1.leads_last_30_days", 2),
        ("partners.1.expiring_90", 1),
        ("partners.1.standing.status", "about to fall below"),
        ("partners.1.standing.falls_at", AT + 25 * DAY),
        ("partners.1.standing.falls_to", 1),
        ("partners.1.url", "https://portal.example.com/partners/1/training"),
        ("partners.2.npcu.now", 2),
        ("partners.2.npcu.before", 4),
        ("partners.2.lost", 2),
        ("partners.2.people_in_no_group", 1),
        ("partners.2.standing.status", "below"),
        ("partners.2.standing.since", AT - 4 * DAY),
        ("partners.3.npcu.now", 4),
        ("partners.3.npcu.before", 4),
        ("partners.3.gained", 1),
        ("partners.3.certifications", 2),
        ("partners.3.people", 2),
        ("partners.3.standing.status", "no requirement"),
        ("totals.partners", 3),
        ("totals.npcu.now", 9),
        ("totals.npcu.before", 11),
        ("totals.certifications", 5),
        ("totals.by_category.nintex_ce", 2),
        ("totals.by_category.nintex_k2", 3),
        ("totals.uncategorised", 1),
        ("totals.people", 5),
        ("totals.gained", 2),
        ("totals.lost", 3),
        ("totals.below", 1),
        ("totals.about_to_fall", 1),
        ("totals.people_in_no_group", 1),
        ("totals.contacts_not_in_lms", 1),
        ("totals.leads_last_30_days", 7),
        ("expiring_within.30.certifications", 2),
        ("expiring_within.30.npcu", 4),
        ("expiring_within.60.certifications", 3),
        ("expiring_within.90.certifications", 4),
        ("expiring_within.90.npcu", 7),
    ],
)
def test_the_figure_is_what_paper_says(figures, name, value):
    assert figures[name] == value


def test_what_people_who_left_took_with_them_is_told_apart_from_expiries(report):
    cherry = report.partners[2]

    assert cherry.npcu == Change(4, 4)
    assert cherry.by_other_causes == -1


def test_changes_are_listed_by_how_much_they_matter(report):
    assert [line.name for line in report.fell_below] == ["Beech"]
    assert [line.name for line in report.about_to_fall] == ["Acorn"]
    assert report.below == ()
    assert [(line.name, line.npcu.difference) for line in report.moved] == [("Beech", -2)]


def test_new_and_expired_certifications_of_the_week_name_person_course_and_day(report):
    assert [(line.partner, line.person, line.course, line.at) for line in report.new] == [
        ("Cherry", "Ann Example", "Automation Cloud", AT - 2 * DAY),
        ("Acorn", "Ann Example", "Automation Cloud", AT - 2 * DAY),
    ]
    assert [(line.partner, line.person) for line in report.expired] == [
        ("Acorn", "person amy"),
        ("Beech", "person bea"),
    ]


def test_what_expires_is_listed_soonest_first(report):
    assert [(line.days, line.partner, line.npcu) for line in report.expiring] == [
        (25, "Acorn", 2),
        (25, "Cherry", 2),
        (45, "Cherry", 1),
        (80, "Beech", 2),
    ]


def test_the_weeks_ahead_hold_each_expiry_once(report):
    weeks = [point.value for point in report.expiries_by_week]

    assert len(weeks) == 13
    assert {place: number for place, number in enumerate(weeks) if number} == {3: 2, 6: 1, 11: 1}
    assert report.expiries_by_week[3].key == date(2026, 12, 14)


def test_the_trend_has_26_weeks_and_ends_with_the_total(report):
    points = report.npcu_by_week

    assert len(points) == 26
    assert (points[0].key, points[-1].key) == (date(2026, 6, 1), date(2026, 11, 23))
    assert points[-1].value == report.totals.npcu.now
    assert points[-2].value == report.totals.npcu.before == 11
    # Ten weeks ago: Acorn 2 + 1, Beech 2 + 2, Cherry ann's 2; what the ledger knew last week says nothing of then.
    assert points[-11].value == 9


def test_an_owner_without_partners_gets_an_empty_report_and_no_error():
    report = build_pam_report(inputs(CountingInputs((), (), {}), []), ["Nobody"])

    assert report.totals.partners == 0
    assert report.totals.npcu == Change(0, None)


def test_a_partner_whose_people_left_has_fallen_below_though_nothing_expired():
    """Only the ledger knows them, and when it no longer did."""
    known = [left(1, "ce", None, 6, AT - 2 * DAY)]
    scenario = CountingInputs((), (), COURSES)
    report = build_pam_report(inputs(scenario, PARTNERS[:1], known=known, config=CONFIG), ["Olga"])

    assert [line.name for line in report.fell_below] == ["Acorn"]
    assert report.fell_below[0].standing.since == AT - 2 * DAY
