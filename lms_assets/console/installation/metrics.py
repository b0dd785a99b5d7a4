"""`lms-assets metrics`: what Prometheus is told, read from the warehouse's logs at each question; only reads.

Ages are told as instants (`..._timestamp_seconds`), so that a graph shows the true age also when nobody answers.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from prometheus_client import CollectorRegistry, generate_latest, start_http_server, write_to_textfile
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from rich.console import Console

from lms_assets.console.command import end_like_by_ctrl_c, program_version, settings_from_environment
from lms_assets.domain.operations.incident import Kind
from lms_assets.domain.rules import Rules
from lms_assets.domain.schedule import CHAIN, find_overdue
from lms_assets.lineage import CADENCES, SYNC_TYPES
from lms_assets.rules_file import load_rules
from lms_assets.warehouse.bookkeeping import sync_log
from lms_assets.warehouse.bookkeeping.alerts import open_incidents
from lms_assets.warehouse.bookkeeping.chain_log import last_completed_chain, latest_chain
from lms_assets.warehouse.bookkeeping.failures import open_failure_counts
from lms_assets.warehouse.bookkeeping.sync_log import SyncLogEntry
from lms_assets.warehouse.engine import Connection, Warehouse
from lms_assets.warehouse.errors import WarehouseError
from lms_assets.warehouse.reading.withheld import withheld_partners
from lms_assets.warehouse.results.counts import last_counted
from lms_assets.warehouse.state.pushed_values import crm_drift

FAILED = 1
ANSWER_SECONDS = 60
CHAIN_STATUSES = ("running", "completed", "failed", "partial")
ROWS = ("processed", "created", "updated", "deleted", "skipped", "failed")
PREFIX = "lms_assets_"

# Name without its prefix: what it says, and its labels. The dashboard (deploy/grafana) names no others.
METRICS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "warehouse_up": ("1 when the warehouse could be read", ()),
    "chain_last_success_timestamp_seconds": ("When the chain last completed", ()),
    "chain_last_duration_seconds": ("How long the last chain took, from its beginning", ()),
    "chain_last_status": ("1 for the status of the last chain", ("status",)),
    "asset_last_success_timestamp_seconds": ("When the asset's last good sync ended", ("asset",)),
    "asset_last_duration_seconds": ("How long that sync took", ("asset",)),
    "asset_last_rows": ("Records of that sync by what became of them", ("asset", "outcome")),
    "asset_last_api_calls": ("Calls of vendors' APIs in that sync", ("asset",)),
    "asset_last_api_retries": ("Calls that had to be repeated in that sync", ("asset",)),
    "asset_last_api_refusals": ("Answers that asked to slow down (429) in that sync", ("asset",)),
    "asset_failures_since_success": ("Syncs that failed since the last good one", ("asset",)),
    "asset_overdue": ("1 when the asset should have been synced by now", ("asset",)),
    "record_failures": ("Records that cannot be used at the moment", ("asset",)),
    "partners_withheld": ("Partners whose counts are not sent to the CRM", ()),
    "crm_drift_accounts": ("Accounts that show other counts in the CRM than it confirmed", ()),
    "counts_timestamp_seconds": ("The instant as of which partners were last counted", ()),
    "open_incidents": ("Incidents that nobody has resolved", ("kind",)),
}


class Families:
    """The metrics of one answer, each made when its first value comes."""

    def __init__(self) -> None:
        self._made: dict[str, GaugeMetricFamily] = {}

    def set(self, name: str, value: float | None, *labels: str) -> None:
        """Add a value; None is a value that does not exist, and adds nothing."""
        if value is None:
            return
        text, names = METRICS[name]
        if name not in self._made:
            self._made[name] = GaugeMetricFamily(PREFIX + name, text, labels=names)
        self._made[name].add_metric(labels, value)

    def all(self) -> Iterable[GaugeMetricFamily]:
        """In the order in which they were made."""
        return self._made.values()


class WarehouseCollector:
    """Reads the warehouse whenever Prometheus asks."""

    def __init__(self, url: str, rules: Rules) -> None:
        self._url, self._rules = url, rules
        self.could_read = False
        """Whether the last answer came from the warehouse."""

    def collect(self) -> Iterator[Metric]:
        """Every metric that has a value; a warehouse that cannot be read is a value too."""
        yield InfoMetricFamily(f"{PREFIX}build", "The program that answers", value={"version": program_version()})
        families = Families()
        waits = {"lock_wait_seconds": ANSWER_SECONDS, "answer_seconds": ANSWER_SECONDS}
        try:
            with Warehouse.opened(self._url, **waits) as warehouse, warehouse.read() as connection:
                read_metrics(connection, self._rules, families, datetime.now(UTC))
            self.could_read = True
        except WarehouseError:
            families, self.could_read = Families(), False
        families.set("warehouse_up", self.could_read)
        yield from families.all()

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering must not read the warehouse."""
        return ()


def read_metrics(connection: Connection, rules: Rules, families: Families, now: datetime) -> None:
    """Set in `families` everything that the warehouse's logs say as of `now` (UTC)."""
    _chain(connection, families, now)
    _assets(connection, families, now)
    families.set("partners_withheld", len(withheld_partners(connection, rules)))
    families.set("crm_drift_accounts", len({each.impartner_id for each in crm_drift(connection)}))
    counted = last_counted(connection)
    families.set("counts_timestamp_seconds", counted.as_of.timestamp() if counted else None)
    kinds = [each.kind for each in open_incidents(connection)]
    for kind in dict.fromkeys((*get_args(Kind), *kinds)):
        families.set("open_incidents", kinds.count(kind), kind)


def _chain(connection: Connection, families: Families, now: datetime) -> None:
    good, last = last_completed_chain(connection, CHAIN), latest_chain(connection, CHAIN)
    completed = good.completed_at if good else None
    families.set("chain_last_success_timestamp_seconds", completed.timestamp() if completed else None)
    if last is not None:
        seconds = ((last.completed_at or now) - last.started_at).total_seconds()
        families.set("chain_last_duration_seconds", seconds)
        for status in CHAIN_STATUSES:
            families.set("chain_last_status", status == last.status, status)


def _assets(connection: Connection, families: Families, now: datetime) -> None:
    completed = sync_log.last_completed(connection)
    failed, records = sync_log.failures_in_a_row(connection), open_failure_counts(connection)
    good = {asset: completed[name] for asset, name in SYNC_TYPES.items() if name in completed}
    done = {asset: entry.completed_at for asset, entry in good.items() if entry.completed_at}
    late = {asset for each in find_overdue(done, CADENCES, now) for asset in each.assets}
    for asset, name in SYNC_TYPES.items():
        families.set("asset_failures_since_success", failed.get(name, 0), asset)
        families.set("record_failures", records.get(name, 0), asset)
        if asset in CADENCES:
            families.set("asset_overdue", asset in late, asset)
        if asset in good:
            _last_sync(good[asset], asset, families)


def _last_sync(entry: SyncLogEntry, asset: str, families: Families) -> None:
    if entry.completed_at is not None:
        families.set("asset_last_success_timestamp_seconds", entry.completed_at.timestamp(), asset)
        families.set("asset_last_duration_seconds", (entry.completed_at - entry.started_at).total_seconds(), asset)
    for outcome in ROWS:
        families.set("asset_last_rows", getattr(entry, f"records_{outcome}"), asset, outcome)
    families.set("asset_last_api_calls", entry.api_calls_made, asset)
    details = entry.details if isinstance(entry.details, dict) else {}
    families.set("asset_last_api_retries", details.get("api_retries"), asset)
    families.set("asset_last_api_refusals", details.get("api_throttled"), asset)


def metrics_command(console: Console, *, out: Path | None, port: int | None, host: str) -> int:
    """Print the metrics, write them to a file, or serve them until interrupted.

    Returns 0, or 1 when the warehouse could not be read: a file then says so too (`lms_assets_warehouse_up 0`).

    Raises:
        ConfigurationError: the environment is wrong.
    """
    settings = settings_from_environment()
    registry = CollectorRegistry()
    collector = WarehouseCollector(settings.warehouse_url, load_rules(settings))
    registry.register(collector)
    if port is not None:
        end_like_by_ctrl_c()
        server, thread = start_http_server(port, host, registry)
        console.print(f"Metrics on http://{host}:{server.server_port}/metrics. Ctrl-C ends.", highlight=False)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            server.shutdown()
            thread.join()
        return 0
    if out is not None:
        # Beside the file first and then renamed: a reader never finds half of it.
        write_to_textfile(str(out), registry)
    else:
        console.out(generate_latest(registry).decode(), end="", highlight=False)
    return 0 if collector.could_read else FAILED
