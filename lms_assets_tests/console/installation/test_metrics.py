"""What Prometheus is told, in each of the three ways, and that the dashboard asks for nothing else."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as parse_classic
from typer.testing import CliRunner

from lms_assets.cli import app
from lms_assets.console.installation.metrics import METRICS, PREFIX, WarehouseCollector
from lms_assets.domain.rules import Rules
from lms_assets.warehouse.bookkeeping import sync_log
from lms_assets.warehouse.bookkeeping.alerts import raise_incident
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.upsert.counts import SyncCounts
from lms_assets_tests.harness.commands import COMMAND, ROOT
from lms_assets_tests.harness.incidents import an_incident

Samples = dict[tuple[str, ...], float]


def samples(url: str) -> Samples:
    """Every sample by its name and label values, read back with the library's own strict parser."""
    registry = CollectorRegistry()
    registry.register(WarehouseCollector(url, Rules()))
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (each.name.removeprefix(PREFIX), *each.labels.values()): each.value
        for family in families
        for each in family.samples
    }


def test_syncs_failures_and_incidents_are_told_as_openmetrics(warehouse: Warehouse, now: datetime):
    good = sync_log.start(warehouse, "users", now=now)
    counts = SyncCounts(created=3, updated=2)
    details = {"api_retries": 4, "api_throttled": 1}
    with warehouse.transaction() as connection:
        sync_log.complete(
            connection, good, now=now + timedelta(seconds=90), counts=counts, api_calls=7, skipped=1, details=details
        )
        raise_incident(connection, an_incident("push/x", kind="push"), now=now)
    for _ in range(2):
        sync_log.fail(warehouse, sync_log.start(warehouse, "users", now=now), now=now, error="no answer")
    sync_log.fail(warehouse, sync_log.start(warehouse, "groups", now=now), now=now, error="no answer")
    told = samples(warehouse.engine.url.render_as_string(hide_password=False))
    assert told["warehouse_up",] == 1
    assert told["asset_last_success_timestamp_seconds", "users"] == (now + timedelta(seconds=90)).timestamp()
    assert told["asset_last_duration_seconds", "users"] == 90
    rows = {outcome: told["asset_last_rows", "users", outcome] for outcome in ("created", "updated", "skipped")}
    assert rows == {"created": 3, "updated": 2, "skipped": 1}
    calls = [told[f"asset_last_api_{name}", "users"] for name in ("calls", "retries", "refusals")]
    assert calls == [7, 4, 1]
    failures = [told["asset_failures_since_success", asset] for asset in ("users", "groups", "courses")]
    assert failures == [2, 1, 0]
    assert (told["open_incidents", "push"], told["open_incidents", "chain"]) == (1, 0)
    assert told["asset_overdue", "users"] == 1
    assert ("asset_last_success_timestamp_seconds", "groups") not in told


def test_a_file_is_written_whole_and_says_when_the_warehouse_cannot_be_read(installation: Callable[..., Path]):
    folder = installation()
    out = folder / "lms.prom"
    assert CliRunner().invoke(app, ["metrics", "--out", str(out)]).exit_code == 0
    told = {each.name: each.samples for each in parse_classic(out.read_text(encoding="utf-8"))}
    assert told[f"{PREFIX}warehouse_up"][0].value == 1
    assert len(told[f"{PREFIX}open_incidents"]) > 5
    assert [path.name for path in folder.iterdir() if path.name.startswith("lms.prom")] == ["lms.prom"]
    (folder / "warehouse.db").unlink()
    assert CliRunner().invoke(app, ["metrics", "--out", str(out)]).exit_code == 1
    assert f"{PREFIX}warehouse_up 0.0" in out.read_text(encoding="utf-8")


def test_they_are_served_over_http_on_this_machine_only(installation: Callable[..., Path]):
    folder = installation()
    with subprocess.Popen([COMMAND, "metrics", "--port", "0"], cwd=folder, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            url = re.search(r"http://127\.0\.0\.1:\d+/metrics", line)
            assert url, line
            asked = urllib.request.Request(url[0], headers={"Accept": "application/openmetrics-text; version=1.0.0"})
            with urllib.request.urlopen(asked, timeout=60) as answer:
                assert "openmetrics" in answer.headers["Content-Type"]
                names = {each.name for each in text_string_to_metric_families(answer.read().decode())}
            assert {f"{PREFIX}warehouse_up", f"{PREFIX}partners_withheld"} <= names
        finally:
            server.terminate()


def test_every_metric_of_the_dashboard_exists_and_none_is_forgotten():
    text = (ROOT / "deploy" / "grafana" / "lms-assets.json").read_text(encoding="utf-8")
    panels = json.loads(text)["panels"]
    asked = {name for each in panels for target in each["targets"] for name in re.findall(r"\w+", target["expr"])}
    named = {name.removeprefix(PREFIX) for name in asked if name.startswith(PREFIX)}
    assert named == set(METRICS)
    labels = {name for _, names in METRICS.values() for name in names}
    assert set(re.findall(r"by \((\w+)\)", text)) <= labels
    assert all(each["description"] for each in panels)
