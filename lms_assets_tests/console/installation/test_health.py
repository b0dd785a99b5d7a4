"""What `lms-assets health` tells a probe, from a warehouse and a home of Dagster's as they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
from typer.testing import CliRunner

from lms_assets.cli import app
from lms_assets.domain.schedule import CHAIN
from lms_assets.warehouse.bookkeeping.alerts import close_incident, raise_incident
from lms_assets.warehouse.bookkeeping.chain_log import ChainStore
from lms_assets.warehouse.engine import Warehouse
from lms_assets_tests.harness.incidents import an_incident
from lms_assets_tests.harness.queue import report_of_a_daemon


def probe(*words: str) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(app, ["health", "--json", *words])
    return result.exit_code, json.loads(result.stdout)


def unhealthy(document: dict[str, Any]) -> list[str]:
    return [each["name"] for each in document["findings"] if not each["healthy"]]


def test_health_follows_the_chain_the_incidents_and_the_daemon(installation: Callable[..., Path]):
    folder = installation()
    warehouse = Warehouse(f"sqlite:///{folder / 'warehouse.db'}")
    now = datetime.now(UTC)
    code, fresh = probe()
    assert (code, unhealthy(fresh)) == (1, ["chain", "daemon"])

    store = ChainStore(warehouse, CHAIN)
    store.open("run-1", now=now)
    store.change("run-1", lambda row: replace(row, status="completed", completed_at=now))
    code, without = probe("--without-daemon")
    assert (code, without["status"]) == (0, "healthy")
    assert without["last_good_chain_age_seconds"] >= 0
    assert (without["runs_under_way"], without["runs_queued"], without["overdue"]) == (0, 0, [])

    with dg.DagsterInstance.get() as instance:
        report_of_a_daemon(instance, now)
    assert probe()[0] == 0

    warehouse.in_transaction(lambda c: raise_incident(c, an_incident("push/x", what="3 not taken"), now=now))
    code, open_one = probe()
    assert (code, unhealthy(open_one)) == (1, ["incidents"])
    assert open_one["open_incidents"][0]["what"] == "3 not taken"
    text = CliRunner().invoke(app, ["health"])
    assert text.exit_code == 1
    assert "✗ incidents" in text.stdout
    warehouse.in_transaction(lambda c: close_incident(c, "push/x", now=now))
    assert probe()[0] == 0
    warehouse.close()


def test_tables_of_another_version_are_unhealthy_and_a_missing_variable_is_not_told(
    installation: Callable[..., Path],
):
    folder = installation()
    (folder / "warehouse.db").unlink()
    code, document = probe()
    assert (code, unhealthy(document)) == (1, ["schema"])
    assert "lms-assets db upgrade" in document["findings"][0]["note"]
    for environment, said in (({"LMS_WAREHOUSE_URL": ""}, "LMS_WAREHOUSE_URL"), ({"DAGSTER_HOME": ""}, "DAGSTER_HOME")):
        Warehouse(f"sqlite:///{folder / 'warehouse.db'}").upgrade()
        result = CliRunner().invoke(app, ["health", "--json"], env=environment)
        assert result.exit_code == 2
        document = json.loads(result.stdout)
        assert document["status"] == "unknown"
        assert said in document["findings"][0]["note"]


def test_a_database_server_that_cannot_be_reached_cannot_be_told(installation: Callable[..., Path]):
    installation(LMS_WAREHOUSE_URL="mysql+pymysql://portal:secret-of-the-test@127.0.0.1:1/portal")
    code, document = probe()
    assert (code, document["status"]) == (2, "unknown")
    assert "cannot be reached" in document["findings"][0]["note"]
    assert "secret-of-the-test" not in json.dumps(document)
