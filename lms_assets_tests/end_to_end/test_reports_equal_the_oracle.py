"""Every figure of both reports, after a whole chain against the sandbox, is what the oracle works out by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from lms_assets.console.commands.report import read_report_inputs
from lms_assets.domain.counting.explanation import differences
from lms_assets.domain.rules import Rules
from lms_assets.reports.config import ReportConfig
from lms_assets.reports.figures.executive import build_executive_report
from lms_assets.reports.figures.inputs import ReportInputs
from lms_assets.reports.figures.model import addressed
from lms_assets.reports.figures.pam import build_pam_report
from lms_assets.reports.figures.partner_answer import Answers
from lms_assets.sandbox.config import SandboxConfig
from lms_assets.sandbox.server.server import running_sandbox
from lms_assets_tests.end_to_end.report_figures import (
    busy,
    expiring,
    overall_figures,
    pam_figures,
    share_figures,
    weeks,
)
from lms_assets_tests.harness.agreement import links_taken_over
from lms_assets_tests.harness.chain import NOW, ChainHarness
from lms_assets_tests.oracle.records import trimmed
from lms_assets_tests.oracle.reports import WEEK, Figures, ReportOracle

pytestmark = pytest.mark.slow
# Low, so that partners of this small vendor state are on both sides of them.
REQUIREMENTS = {"Premier Plus": 4, "Premier": 3, "Select": 2, "Certified": 1, "Registered": 0, "Aggregator": 0}
LISTS = ("fell_below", "about_to_fall", "below", "moved", "new", "expired", "expiring", "top", "growing", "quiet")


class Scenario:
    """One vendor state after one chain: the product's material and the oracle."""

    def __init__(self, harness: ChainHarness) -> None:
        harness.run()
        harness.run("leads_full")
        config = ReportConfig(tier_requirements=REQUIREMENTS)
        self.inputs: ReportInputs = read_report_inputs(harness.warehouse, rules=Rules(), config=config, now=NOW)
        self.warehouse = harness.warehouse
        self.oracle = ReportOracle(
            harness.sandbox.vendor_state.state(), harness.now, REQUIREMENTS, links_taken_over(harness)
        )
        self.account = {row["id"]: row["impartner_id"] for row in harness.rows("partners") if row["is_active"]}
        self.row = {account: number for number, account in self.account.items()}


@pytest.fixture(scope="module", params=[1, 2, pytest.param(3, marks=pytest.mark.long)])
def scenario(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    config = SandboxConfig(seed=request.param, scale=0.02, now=NOW, northpass_rps=0, impartner_rps=0)
    folder: Path = tmp_path_factory.mktemp("reports")
    with running_sandbox(config) as sandbox:
        harness = ChainHarness(folder, sandbox)
        try:
            yield Scenario(harness)
        finally:
            harness.close()


def compare(report: Any, right: Figures) -> None:
    """Every number and instant of the report stands in `right` with that value, and the other way round."""
    figures = {
        name: value
        for name, value in addressed(report).items()
        if (isinstance(value, (int, datetime)) or value is None or name.endswith("standing.status"))
        and not isinstance(value, bool)
        and name.partition(".")[0] not in {"frame", *LISTS}
        and not name.endswith((".key", ".url", ".withheld"))
    }
    wrong = {name: (figures.get(name), value) for name, value in right.items() if figures.get(name) != value}
    assert not wrong
    assert not set(figures) - set(right), "not worked out a second time"


def test_the_scenario_is_worth_comparing(scenario: Scenario):
    """A vendor state in which nothing is held, ends or fails proves nothing."""
    statuses = {scenario.oracle.standing(each)[0] for each in scenario.account.values()}

    assert set(scenario.account.values()) == set(scenario.oracle.partners)
    assert statuses >= {"below", "meets", "no requirement"}
    assert not scenario.inputs.withheld, "all was read, so every count is confirmed"
    assert scenario.oracle.expiring(scenario.oracle.partners, 90)
    assert all(each.stored_npcu == scenario.inputs.counts.at[each.id, "npcu"] for each in scenario.inputs.partners)


def test_why_adds_up_to_the_stored_counts_of_every_partner(scenario: Scenario):
    at, before = scenario.oracle.at, scenario.oracle.at - 100 * WEEK
    with scenario.warehouse.read() as connection:
        answers = Answers(connection, Rules(), at)
        assert answers.counted_at == at
        for partner in scenario.inputs.partners:
            answer = answers.about(partner, at, since=before)
            found, account = answer.explanation, scenario.account[partner.id]
            assert answer.in_ledger
            assert sum(each.npcu for each in found.counted) == partner.stored_npcu
            assert differences(found.counts, partner.stored_npcu, partner.stored_by_category) == ()
            assert answer.changes is not None
            assert answer.changes.npcu == scenario.oracle.npcu([account], at) - scenario.oracle.npcu([account], before)


def test_every_figure_of_every_pam_report(scenario: Scenario):
    owners = {trimmed(row["account_owner"]): row["account_owner"] for row in scenario.oracle.accounts.values()}
    assert len(owners) > 3
    for folded, owner in owners.items():
        mine = [
            each
            for each in scenario.oracle.partners
            if trimmed(scenario.oracle.accounts[each]["account_owner"]) == folded
        ]
        report = build_pam_report(scenario.inputs, [owner])
        compare(report, pam_figures(scenario.oracle, scenario.row, mine))
        _compare_lists(scenario, report, mine)


def _compare_lists(scenario: Scenario, report: Any, mine: list[int]) -> None:
    """Who stands in which list, and which certifications of whom."""
    oracle, at, since = scenario.oracle, scenario.oracle.at, scenario.oracle.at - WEEK
    accounts = {name: {scenario.account[line.key] for line in getattr(report, name)} for name in LISTS[:4]}
    below = {each for each in mine if oracle.standing(each)[0] == "below"}
    fell = {each for each in mine if oracle.fell_this_week(each)}
    assert accounts["fell_below"] == fell
    assert accounts["below"] == below - fell
    assert accounts["about_to_fall"] == {each for each in mine if oracle.standing(each)[2] is not None}
    assert accounts["moved"] == {each for each in mine if oracle.npcu([each], at) != oracle.npcu([each], since)}
    falls = [line.standing.falls_at for line in report.about_to_fall]
    assert falls == sorted(falls)
    lines = {line.key: line for line in report.partners}
    for name in LISTS[:4]:
        assert all(line == lines[line.key] for line in getattr(report, name))
    for name, found in (
        ("new", [(each, held, held.completed) for each in mine for held in oracle.gained(each, since, at)]),
        ("expired", [(each, held, held.expires) for each in mine for held in oracle.gained(each, at, since)]),
        ("expiring", [(each, held, held.expires) for each in mine for held in oracle.expiring([each], 90)]),
    ):
        shown = sorted((scenario.account[line.partner_id], line.key.split("/", 1)[1], line.npcu, line.at)
                       for line in getattr(report, name))  # fmt: skip
        assert shown == sorted((each, f"{held.person}/{held.course}", held.npcu, when) for each, held, when in found), (
            name
        )


def test_every_figure_of_the_executive_report(scenario: Scenario):
    oracle = scenario.oracle
    everybody = list(oracle.partners)
    report = build_executive_report(scenario.inputs)
    regions = {row["id"]: row["name"] for row in oracle.state["regions"]}
    right = overall_figures(oracle, everybody) | expiring(oracle, everybody, (30, 90)) | weeks(oracle, everybody)
    right |= share_figures(oracle, "overall", everybody)
    for prefix, shown, name_of in (
        ("tiers", report.tiers, lambda row: row["partner_tier"]),
        ("regions", report.regions, lambda row: regions.get(row["region_id"])),
        ("pams", report.pams, lambda row: row["account_owner"]),
    ):
        for line in shown:
            wanted = "" if line.key == "(not set)" else trimmed(line.key)
            members = [each for each in everybody if trimmed(name_of(oracle.accounts[each])) == wanted]
            right |= share_figures(oracle, f"{prefix}.{line.key}", members, tier=prefix == "tiers")
        assert sum(line.partners for line in shown) == len(everybody)
    compare(report, right)


def test_rankings_and_lists_of_the_executive_report(scenario: Scenario):
    oracle = scenario.oracle
    report = build_executive_report(scenario.inputs)
    now = {each: oracle.npcu([each], oracle.at) for each in oracle.partners}
    growth = {each: now[each] - oracle.npcu([each], oracle.at - 13 * WEEK) for each in oracle.partners}

    assert [line.npcu.now for line in report.top] == sorted((n for n in now.values() if n), reverse=True)[:10]
    assert [line.npcu.difference for line in report.growing] == sorted(
        (n for n in growth.values() if n > 0), reverse=True
    )[:10]
    for line in (*report.top, *report.growing, *report.quiet, *report.fell_below):
        assert line.npcu.now == now[scenario.account[line.key]]
        assert line.npcu.difference == growth[scenario.account[line.key]]
    assert not any(busy(oracle, scenario.account[line.key]) for line in report.quiet)
    assert {scenario.account[line.key] for line in report.fell_below} == {
        each for each in oracle.partners if oracle.fell_this_week(each)
    }
