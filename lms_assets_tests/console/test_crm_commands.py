"""`push plan`, `push history`, `push retry`, `reconcile`: what somebody at the terminal is told of the CRM."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import update
from typer.testing import CliRunner

from lms_assets.cli import app
from lms_assets.console.commands.reconcile import Both, reconcile_rows
from lms_assets.console.running import run
from lms_assets.console.running.run import RunOptions
from lms_assets.run_tags import PUSH_PARTNER_TAG
from lms_assets.sandbox import running_sandbox
from lms_assets.warehouse.schema import tables as t
from lms_assets.warehouse.state.pushed_values import last_push
from lms_assets_tests.harness.chain import SMALL, ChainHarness
from lms_assets_tests.harness.checkpoints import after_first_chain

pytestmark = pytest.mark.slow
NPCU = "Total_NPCU__cf"


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChainHarness]:
    """One night over the small vendor state; the tests of this module go on with it."""
    with running_sandbox(SMALL) as sandbox:
        made = ChainHarness(tmp_path_factory.mktemp("crm"), sandbox)
        after_first_chain().restore(made)
        made.advance(hours=1)
        yield made
        made.close()


@pytest.fixture
def lms(night: ChainHarness, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command in this process, on that warehouse and sandbox."""
    for name, value in night.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("DAGSTER_HOME")
    monkeypatch.chdir(night.folder)

    return lambda *words: CliRunner().invoke(app, [*words], env={"COLUMNS": "80"})


def a_partner(night: ChainHarness) -> dict[str, Any]:
    """An active partner whose points the CRM confirmed and which are not 0."""
    pushed = {row["impartner_id"]: row["fields"] for row in night.rows("pushed_partner_counts")}
    return next(
        row for row in night.rows("partners") if row["is_active"] and pushed.get(row["impartner_id"], {}).get(NPCU)
    )


def test_a_night_later_everything_is_equal_and_there_is_nothing_to_send(night: ChainHarness, lms: Any):
    found = json.loads(lms("reconcile", "--json").stdout)
    assert (found["differs"], found["never_sent"], found["not_compared"]) == (0, 0, [])
    assert found["equal"] > 50
    assert len(found["partners"]) >= found["equal"]
    plan = json.loads(lms("push", "plan", "--json").stdout)
    assert (plan["partners_to_send"], plan["fields_to_send"]) == (0, 0)
    assert all("too old to build on" in each for each in plan["blocked_by"]), "the sandbox's clock is not the real one"
    told = [row for row in plan["plan"] if row["state"] == "cannot tell"]
    assert len(told) == plan["cannot_tell"]
    assert plan["nothing_to_send"] + plan["cannot_tell"] == sum(row["is_active"] for row in night.rows("partners"))


def test_a_hand_edit_is_named_at_once_and_its_history_can_be_read(night: ChainHarness, lms: Any, tmp_path: Path):
    partner = a_partner(night)
    account = partner["impartner_id"]
    night.sandbox.mutate("set_account", account=account, fields={NPCU: 4711})
    result = lms("reconcile")
    assert result.exit_code == 1
    assert "4,711" in result.stdout
    assert all(len(line) <= 80 for line in result.stdout.splitlines()[:-1])
    (row,) = [row for row in json.loads(lms("reconcile", "--json").stdout)["partners"] if row["state"] == "differs"]
    assert (row["partner"], row["field"], row["ours"], row["theirs"], row["since"]) == (
        partner["id"], NPCU, partner["total_npcu"], 4711.0, None,
    )  # fmt: skip

    listed_at = night.now
    assert night.run(assets=("partners",), alone=True).success
    (row,) = [row for row in json.loads(lms("reconcile", "--json").stdout)["partners"] if row["state"] == "differs"]
    assert row["since"] == listed_at.isoformat().replace("+00:00", "Z")
    plan = json.loads(lms("push", "plan", "--json").stdout)
    (send,) = plan["plan"][: plan["fields_to_send"]]
    assert (send["state"], send["last_confirmed"], send["crm_shows"], send["to_send"]) == (
        "send", partner["total_npcu"], 4711.0, partner["total_npcu"],
    )  # fmt: skip
    assert "To send: 1 partner, 1 field." in " ".join(lms("push", "plan").stdout.split())

    night.advance(hours=1)
    assert night.run("push_to_impartner", assets=("pushed_partner_cert_counts",), alone=True).success
    assert lms("reconcile").exit_code == 0
    history = json.loads(lms("push", "history", str(partner["id"]), "--json").stdout)
    newest = history["history"][0]
    assert (newest["field"], newest["crm_showed"], newest["sent"], newest["outcome"]) == (
        NPCU, "4711", str(partner["total_npcu"]), "confirmed",
    )  # fmt: skip
    text = lms("push", "history", str(partner["id"]))
    assert f"CRM account {account}" in text.stdout
    assert lms("push", "history", str(partner["id"]), "--out", str(tmp_path / "history.xlsx")).exit_code == 0


def test_a_withheld_partner_is_no_partner_with_nothing_to_send(night: ChainHarness, lms: Any):
    partner = a_partner(night)
    changed = update(t.partners).where(t.partners.c.id == partner["id"])
    with night.warehouse.transaction() as connection:
        connection.execute(changed.values(identity_changed_at=night.now + timedelta(days=1)))
    try:
        plan = json.loads(lms("push", "plan", "--json").stdout)
        (row,) = [row for row in plan["plan"] if row["partner"] == partner["id"]]
        assert row["state"] == "cannot tell"
        assert row["why"].startswith("withheld: ")
        rows = json.loads(lms("reconcile", "--json").stdout)["partners"]
        assert [row["state"] for row in rows if row["partner"] == partner["id"]] == ["withheld"]
        refused = lms("push", "retry", str(partner["id"]))
        assert (refused.exit_code, "withheld, nothing was sent" in " ".join(refused.output.split())) == (1, True)
    finally:
        with night.warehouse.transaction() as connection:
            connection.execute(changed.values(identity_changed_at=partner["identity_changed_at"]))


def test_who_has_no_field_that_is_shown_is_not_equal():
    facts = SimpleNamespace(withheld={}, memory={7: SimpleNamespace(fields={NPCU: 3})})
    planned = SimpleNamespace(facts=facts, unfinished=())
    partner = SimpleNamespace(id=1, account_name="Acorn", impartner_id=7)
    both = Both((partner,), planned, {}, {7: {NPCU: None}}, (), (NPCU,))  # type: ignore[arg-type]
    ((state, why),) = [(row["state"], row.get("why")) for row in reconcile_rows(both)]
    assert (state, why) == ("cannot tell", "the CRM shows none of its fields, for no account")
    shown = replace(both, now={7: {NPCU: 3}}, fields=(NPCU,), hidden=())
    assert [row["state"] for row in reconcile_rows(shown)] == ["equal"]


def test_a_crm_that_does_not_answer_is_a_line_and_no_equality(
    night: ChainHarness, lms: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("IMPARTNER_API_KEY", "wrong")
    result = lms("reconcile")
    assert result.exit_code == 1
    assert "equal" not in result.output


def test_one_partner_is_sent_again_by_the_job_that_pushes(night: ChainHarness, lms: Any, monkeypatch: Any):
    partner = a_partner(night)
    asked: list[RunOptions] = []
    monkeypatch.setattr(run, "run_command", lambda options, _: asked.append(options) or 0)
    assert lms("push", "retry", str(partner["id"])).exit_code == 0
    order = run._new_order(asked[0], night.now)
    assert (order.job, order.tags[PUSH_PARTNER_TAG]) == ("push_to_impartner", str(partner["id"]))

    def last_total() -> list[dict[str, Any]]:
        return [row for row in night.rows("sync_state") if row["name"] == "npcu_when_last_pushed"]

    before, known = last_total(), {row["id"] for row in night.rows("partner_push_log")}
    night.advance(hours=1)
    result = night.run("push_to_impartner", tags={PUSH_PARTNER_TAG: str(partner["id"])})
    assert result.success, result.errors
    sent = [row for row in night.rows("partner_push_log") if row["id"] not in known]
    assert {row["partner_id"] for row in sent} == {partner["id"]}
    assert {NPCU, "LMS_Training_Dashboard__cf"} <= {row["field"] for row in sent}
    answers = {row["id"]: row["outcome"] for row in night.rows("partner_push_answers")}
    assert {answers[row["id"]] for row in sent} == {"confirmed"}
    assert last_total() == before, "it says nothing about the others"
    with night.warehouse.read() as connection:
        pushed = last_push(connection)
    assert pushed is not None
    assert pushed.started_at < night.now
