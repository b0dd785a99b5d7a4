"""The five steps from an old scheduler, each done by the command that the step before named."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
from sqlalchemy import insert, select
from typer.testing import CliRunner

from lms_assets.cli import app
from lms_assets.console.installation.migration import CHAIN_TASKS, DONE_BY_US, State, steps
from lms_assets.domain.schedule import CHAIN
from lms_assets.lineage import TIMETABLE
from lms_assets.warehouse.bookkeeping.chain_log import ChainStore
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.schema.tables import scheduled_tasks
from lms_assets_tests.harness.queue import report_of_a_daemon


def migration(*words: str) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(app, ["migration", "--json", *words])
    return result.exit_code, json.loads(result.stdout)


def done(document: dict[str, Any]) -> list[bool]:
    return [each["done"] for each in document["steps"]]


def on(warehouse: Warehouse) -> dict[str, bool]:
    with warehouse.read() as connection:
        query = select(scheduled_tasks.c.task_type, scheduled_tasks.c.enabled)
        return {name: bool(enabled) for name, enabled in connection.execute(query)}


def test_each_command_that_is_named_takes_the_installation_a_step_further(installation: Callable[..., Path]):
    folder = installation()
    path = folder / "warehouse.db"
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE leads")
    code, document = migration()
    assert (code, done(document)) == (3, [False] * 5)
    assert document["next_command"] == "lms-assets db upgrade --plan"
    assert CliRunner().invoke(app, ["db", "upgrade"]).exit_code == 0

    warehouse = Warehouse(f"sqlite:///{path}")
    old = [{"task_type": name, "enabled": True} for name in ("sync_users", "groups", "portal_backup")]
    warehouse.in_transaction(lambda connection: connection.execute(insert(scheduled_tasks), old))
    assert migration()[1]["next_command"] == "lms-assets migration --configure-chain"
    assert CliRunner().invoke(app, ["migration", "--configure-chain"]).exit_code == 0

    code, document = migration()
    assert (code, done(document)) == (3, [True, True, False, False, False])
    assert document["next_command"] == "lms-assets migration --switch-off-old"
    assert {each["task_type"] for each in document["enabled_tasks"]} == {"sync_users", "groups", "portal_backup"}
    before = on(warehouse)
    assert "groups, sync_users" in CliRunner().invoke(app, ["migration", "--switch-off-old"]).stdout
    assert [name for name, enabled in on(warehouse).items() if enabled] == ["portal_backup"]
    text = CliRunner().invoke(app, ["migration"]).stdout
    assert "left on: portal_backup" in text
    assert "Next: dagster-daemon run" in text

    assert CliRunner().invoke(app, ["migration", "--undo"]).exit_code == 0
    assert on(warehouse) == before
    assert "nothing was switched off" in CliRunner().invoke(app, ["migration", "--undo"]).stdout
    assert CliRunner().invoke(app, ["migration", "--switch-off-old"]).exit_code == 0
    now = datetime.now(UTC)
    with dg.DagsterInstance.get() as instance:
        report_of_a_daemon(instance, now)
    assert migration()[1]["next_command"] == "lms-assets run daily_full"
    store = ChainStore(warehouse, CHAIN)
    store.open("run-1", now=now)
    store.change("run-1", lambda row: replace(row, status="completed", completed_at=now))
    assert migration()[1]["next_command"].startswith("dagster schedule start --start-all")
    warehouse.close()


def test_all_five_are_done_when_the_schedules_are_on():
    now = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    store = State(configured=True, daemon=now, schedules=frozenset(entry.schedule for entry in TIMETABLE))
    assert [each.done for each in steps(store, now)] == [True, True, True, False, True]
    assert set(CHAIN_TASKS) <= DONE_BY_US
