"""At the real number of partners everything is there once; how fast is measured in benchmarks/reports.py."""

from __future__ import annotations

import pytest

from lms_assets.reports.figures.executive import build_executive_report
from lms_assets.reports.figures.pam import build_pam_report
from lms_assets_tests.reports.scenarios import show_scenario

PAMS = 60


@pytest.fixture(scope="module")
def scenario():
    return show_scenario(partners=1500, owners=PAMS, people_each=2)


def test_the_pam_reports_add_up_to_the_executives(scenario):
    """Each partner is in exactly one PAM's report, and no points are lost or doubled between the two."""
    executive = build_executive_report(scenario)
    pams = [build_pam_report(scenario, [f"Owner {number}"]) for number in range(1, PAMS + 1)]

    listed = [line.key for report in pams for line in report.partners]
    assert sorted(listed) == [partner.id for partner in scenario.partners]
    assert sum(report.totals.npcu.now for report in pams) == executive.totals[0].now
    assert sum(report.totals.certifications for report in pams) == executive.certifications
    assert sum(report.totals.below for report in pams) == executive.overall.below
    assert sum(report.totals.about_to_fall for report in pams) == executive.overall.about_to_fall
    assert sum(len(report.fell_below) for report in pams) == len(executive.fell_below)
    assert sum(report.expiring_within[0].certifications for report in pams) == (
        executive.expiring_within[0].certifications
    )
    assert sum(point.value for report in pams for point in report.expiries_by_week) == sum(
        point.value for point in executive.expiries_by_week
    )
    for week, point in enumerate(executive.npcu_by_week):
        assert sum(report.npcu_by_week[week].value for report in pams) == point.value


def test_tiers_regions_and_pams_each_hold_every_partner_once(scenario):
    executive = build_executive_report(scenario)

    for lines in (executive.tiers, executive.regions, executive.pams):
        assert sum(line.partners for line in lines) == 1500
        assert sum(line.npcu.now for line in lines) == executive.totals[0].now
        assert sum(line.below for line in lines) == executive.overall.below
