"""`lms-assets offboarding` and `run offboarding_apply --plan`: what a person sees before anybody loses access."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import insert
from typer.testing import CliRunner

from lms_assets.cli import app
from lms_assets.console.commands.offboarding import print_plans, review, show_plan
from lms_assets.domain.safety.offboarding import Removal
from lms_assets.sandbox.config import SandboxConfig
from lms_assets.sandbox.server.server import running_sandbox
from lms_assets.settings import ConfigurationError
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.schema import tables as t
from lms_assets.warehouse.state.offboarding_plans import newest_plans, plan_row, write_plan
from lms_assets_tests.harness.chain import NOW
from lms_assets_tests.harness.commands import Commands

WHY = "partner 42 is inactive"


@pytest.fixture
def planned(warehouse: Warehouse, now: datetime) -> tuple[Warehouse, int]:
    """A proposed plan with two removals."""
    removals = [Removal("g1", "ann", 42, WHY), Removal("g-gone", "ann", None, "contact 3 is inactive")]
    with warehouse.transaction() as connection:
        connection.execute(insert(t.partners).values(id=42, account_name="[red]Acorn", is_active=False))
        connection.execute(insert(t.lms_groups).values(id="g1", name="ptr_Acorn", partner_id=42))
        summary = {"removals": 2, "people": 1}
        plan_id = write_plan(connection, removals, digest="d", summary=summary, now=now)
    return warehouse, plan_id


def shown(warehouse: Warehouse, plan_id: int) -> str:
    out = io.StringIO()
    with warehouse.read() as connection:
        show_plan(Console(file=out, width=160), connection, plan_id)
    return out.getvalue()


def test_a_plan_shows_who_would_leave_what_and_why_and_how_to_go_on(planned: tuple[Warehouse, int]):
    warehouse, plan_id = planned
    text = shown(warehouse, plan_id)
    assert "2 removals of 1 person: 2 planned" in text
    for part in ("ptr_Acorn", "ann", "#42 [red]Acorn", WHY, "g-gone", "contact 3 is inactive", "proposed"):
        assert part in text
    assert f"lms-assets offboarding review {plan_id} --by NAME" in text
    assert f"lms-assets run offboarding_apply --plan {plan_id}" in " ".join(text.split())


def test_a_review_notes_who_and_when_and_is_given_once(planned: tuple[Warehouse, int], now: datetime):
    warehouse, plan_id = planned
    later = now + timedelta(hours=1)
    with warehouse.transaction() as connection:
        review(connection, plan_id, " anna ", now=later)
        plan = plan_row(connection, plan_id)
    assert plan is not None
    assert (plan.status, plan.reviewed_by, plan.reviewed_at) == ("reviewed", "anna", later)
    assert "reviewed by anna at 2026-03-02 03:00 UTC" in shown(warehouse, plan_id)
    with pytest.raises(ConfigurationError, match="is reviewed; only a proposed one"), warehouse.transaction() as again:
        review(again, plan_id, "bert", now=later)


def test_a_plan_that_could_not_be_applied_any_more_is_not_reviewed(planned: tuple[Warehouse, int], now: datetime):
    warehouse, plan_id = planned
    for asked, by, at, said in (
        (plan_id, "anna", now + timedelta(days=1, seconds=1), "more than a day old"),
        (plan_id, "  ", now, "--by must be the name"),
        (99, "anna", now, "there is no offboarding plan 99"),
    ):
        with pytest.raises(ConfigurationError, match=said), warehouse.transaction() as connection:
            review(connection, asked, by, now=at)
    with warehouse.transaction() as connection:
        write_plan(connection, [], digest="e", summary={"removals": 0, "people": 0}, now=now)
    with pytest.raises(ConfigurationError, match="is superseded"), warehouse.transaction() as connection:
        review(connection, plan_id, "anna", now=now)


def test_the_list_has_the_newest_plan_first(planned: tuple[Warehouse, int], now: datetime):
    warehouse, plan_id = planned
    with warehouse.transaction() as connection:
        newer = write_plan(connection, [], digest="e", summary={"removals": 0, "people": 0}, now=now)
    out = io.StringIO()
    with warehouse.read() as connection:
        print_plans(Console(file=out, width=160), newest_plans(connection))
    first, second = out.getvalue().splitlines()
    assert (f"Plan {newer} of" in first, "proposed" in first) == (True, True)
    assert (f"Plan {plan_id} of" in second, "2 removals of 1 person, superseded" in second) == (True, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "offboarding_plan", "--plan", "7"), "--plan applies to offboarding_apply only"),
        (("run", "offboarding_apply"), "offboarding_apply needs --plan ID"),
        (("offboarding", "show", "99"), "there is no offboarding plan 99"),
    ],
)
def test_a_plan_that_does_not_belong_there_is_bad_configuration(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: tuple[str, ...], said: str
):
    monkeypatch.chdir(tmp_path)
    for name in ("NORTHPASS_API_KEY", "IMPARTNER_API_KEY"):
        monkeypatch.setenv(name, "key")
    monkeypatch.setenv("LMS_WAREHOUSE_URL", warehouse.engine.url.render_as_string(hide_password=False))
    result = CliRunner().invoke(app, words)
    assert (result.exit_code, said in result.output) == (2, True), result.output


@pytest.mark.slow
def test_the_commands_review_a_plan_and_apply_the_one_that_is_named(tmp_path: Path):
    with running_sandbox(SandboxConfig(scale=0.005, now=NOW, northpass_rps=0, impartner_rps=0)) as sandbox:
        commands = Commands(tmp_path / "place", sandbox, executor="in_process")
        warehouse = Warehouse(commands.url)
        warehouse.upgrade()
        with warehouse.transaction() as connection:
            plan = write_plan(connection, [], digest="d", summary={"removals": 0, "people": 0}, now=datetime.now(UTC))
        warehouse.close()
        rules = tmp_path / "rules.toml"
        rules.write_text("offboarding_removals_per_day = 10\n")
        reviewed = commands.run("offboarding", "review", str(plan), "--by", "anna")
        assert (reviewed.returncode, f"offboarding_apply --plan {plan}" in reviewed.stdout) == (0, True)
        applied = commands.run("run", "offboarding_apply", "--plan", str(plan), LMS_RULES_FILE=str(rules))
        assert applied.returncode == 0, applied.stdout + applied.stderr
        assert f"Plan {plan} is applied" in applied.stdout
