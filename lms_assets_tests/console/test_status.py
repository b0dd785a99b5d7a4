"""`lms-assets status`: the last chain, the partners that are not pushed, the limits that were passed."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import func, insert, select
from typer.testing import CliRunner

from lms_assets.cli import app
from lms_assets.console.commands.status import print_withheld
from lms_assets.domain.safety.overrides import FIRST_PUSH, Overrides
from lms_assets.domain.safety.withheld import WithheldReason
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.schema import tables as t
from lms_assets.warehouse.state.overrides import issue, note_uses

AT = datetime(2026, 11, 23, 2, tzinfo=UTC)
RUN = "0123456789abcdef"


def test_ten_partners_are_named_and_the_rest_counted() -> None:
    console = Console(record=True, width=200, file=io.StringIO())
    print_withheld(console, {number: (WithheldReason("kind", f"reason [{number}]"),) for number in range(1, 13)})
    text = console.export_text()
    assert "Not sent to the CRM: 12 partners" in text
    assert "partner 10: reason [10]" in text
    assert "partner 11" not in text
    assert "and 2 more" in text


def test_nothing_is_printed_when_all_are_pushed() -> None:
    console = Console(record=True, width=200, file=io.StringIO())
    print_withheld(console, {})
    assert console.export_text() == ""


@pytest.fixture
def runner(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    """The commands, on a warehouse whose chain failed at its second step after somebody allowed a first push."""
    for name in ("NORTHPASS_API_KEY", "IMPARTNER_API_KEY"):
        monkeypatch.setenv(name, "key")
    monkeypatch.setenv("LMS_WAREHOUSE_URL", warehouse.engine.url.render_as_string(hide_password=False))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    return CliRunner()


def store_chain(warehouse: Warehouse) -> None:
    steps = [
        {"step": "courses", "status": "completed", "rows": 1234, "failed_checks": ["every_npcu_is_0_1_or_2"]},
        {"step": "partners", "status": "failed", "error": "partners: the CRM answered 503"},
    ]
    with warehouse.transaction() as connection:
        chain = {"chain_name": "daily_full", "run_id": RUN, "status": "failed", "started_at": AT, "as_of": AT}
        connection.execute(
            insert(t.task_chain_logs).values(
                **chain,
                steps_completed=steps,
                completed_at=AT + timedelta(minutes=3),
                total_duration_seconds=180,
                error_message="partners: the CRM answered 503",
            )
        )
        connection.execute(insert(t.partners).values(id=7, account_name="Acorn", impartner_id=70))
        for run_id, at in (("earlier", AT - timedelta(days=1)), (RUN, AT + timedelta(minutes=1))):
            issue(connection, [FIRST_PUSH], by="olga", now=at, run_id=run_id)
            issued = connection.execute(select(func.max(t.sync_overrides.c.id))).scalar_one()
            overrides = Overrides(frozenset({FIRST_PUSH}), id=issued)
            assert overrides.allows(FIRST_PUSH, 41)
            note_uses(connection, overrides, asset="pushed_partner_cert_counts", run_id=run_id, now=at)


def test_json_contains_what_the_text_says(warehouse: Warehouse, runner: CliRunner, tmp_path: Path):
    store_chain(warehouse)
    text = runner.invoke(app, ["status"])
    found = json.loads(runner.invoke(app, ["status", "--json"]).stdout)
    assert text.exit_code == 1
    assert "daily_full of 2026-11-23 02:00 UTC: failed, 3 min 00 s" in text.stdout
    assert (found["chain"], found["status"], found["started_at"]) == ("daily_full", "failed", "2026-11-23T02:00:00Z")
    assert found["duration_seconds"] == 180
    steps = {each["step"]: each for each in found["steps"]}
    assert steps["courses"]["rows"] == 1234
    assert "1,234" in text.stdout
    assert steps["courses"]["failed_checks"] == ["every_npcu_is_0_1_or_2"]
    assert steps["users"]["status"] == "blocked"
    assert steps["partners"]["error"] == found["error_message"] == "partners: the CRM answered 503"
    assert found["withheld"][0]["partner"] == 7
    assert "partner 7:" in text.stdout
    assert found["overrides_used"] == [
        {"what": "first_push", "scope": "", "number": 41, "asset": "pushed_partner_cert_counts", "used_by": "olga",
         "used_at": "2026-11-23T02:01:00Z", "run_id": RUN},
    ]  # fmt: skip
    assert "first_push, 41 in pushed_partner_cert_counts: allowed by olga, 2026-11-23 02:01 UTC" in text.stdout
    out = runner.invoke(app, ["status", "--out", str(tmp_path / "status.csv")])
    assert out.exit_code == 1
    assert f"{len(found['steps'])} rows written to" in out.stdout
    wrong = runner.invoke(app, ["status", "--out", "status.doc"])
    assert (wrong.exit_code, ".csv, .xlsx, .json" in wrong.output) == (2, True)


def test_before_the_first_chain_json_is_json_too(runner: CliRunner):
    assert "No chain has run yet" in runner.invoke(app, ["status"]).stdout
    found = json.loads(runner.invoke(app, ["status", "--json"]).stdout)
    assert (found["chain"], found["steps"], found["withheld"]) == (None, [], [])
