"""`lms-assets health`: what a probe asks. Only reads, and ends within seconds also where a server hangs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime

from rich.console import Console

from lms_assets.console.command import quoted, settings_from_environment
from lms_assets.console.running.dagster_state import DagsterStateLost, dagster_instance
from lms_assets.console.tables import Output, Table, deliver
from lms_assets.domain.operations.health import Finding, HealthFacts, OpenIncident, health
from lms_assets.domain.schedule import CHAIN, find_overdue
from lms_assets.lineage import CADENCES, NIGHTLY, SYNC_TYPES
from lms_assets.runs.active import daemon_seen, queue_of
from lms_assets.settings import ConfigurationError
from lms_assets.warehouse.bookkeeping import sync_log
from lms_assets.warehouse.bookkeeping.alerts import open_incidents
from lms_assets.warehouse.bookkeeping.chain_log import last_completed_chain
from lms_assets.warehouse.engine import Connection, Warehouse
from lms_assets.warehouse.errors import SchemaNotCurrent, WarehouseError

NOT_HEALTHY, CANNOT_TELL = 1, 2
ANSWER_SECONDS = 15
FINDING = ("name", "healthy", "note")


def health_command(console: Console, output: Output, *, daemon_needed: bool) -> int:
    """Print what was found; returns 0 healthy, 1 not healthy, 2 when it cannot be told, with the reason.

    Raises:
        ConfigurationError, WarehouseError: it cannot be told (with `--json` or `--out` the reason is a row).
    """
    now = datetime.now(UTC)
    try:
        facts = read_facts(now, daemon_needed=daemon_needed)
    except (ConfigurationError, WarehouseError) as error:
        problems = error.problems if isinstance(error, ConfigurationError) else [str(error)]
        unknown = Table("findings", FINDING, [{"name": "health", "healthy": None, "note": each} for each in problems])
        if not deliver([unknown], output, console, facts={"status": "unknown", "at": now}):
            raise
        return CANNOT_TELL
    found = health(facts, now, NIGHTLY)
    healthy = all(each.healthy for each in found)
    if not deliver(_tables(facts, found), output, console, facts=_facts(facts, healthy, now)):
        for each in found:
            mark = "[green]✓[/]" if each.healthy else "[red]✗[/]"
            console.print(f"{mark} {each.name:<11}{quoted(each.note)}", highlight=False, soft_wrap=True)
    return 0 if healthy else NOT_HEALTHY


def read_facts(now: datetime, *, daemon_needed: bool) -> HealthFacts:
    """What the warehouse and Dagster's storage say now (UTC).

    Raises:
        ConfigurationError, WarehouseError: one of them cannot be asked.
    """
    settings = settings_from_environment()
    waits = {"lock_wait_seconds": ANSWER_SECONDS, "answer_seconds": ANSWER_SECONDS}
    try:
        with Warehouse.opened(settings.warehouse_url, **waits) as warehouse, warehouse.read() as connection:
            facts = _facts_of_warehouse(connection, now)
    except SchemaNotCurrent as problem:
        return HealthFacts(schema_problem=str(problem))
    try:
        with dagster_instance() as instance:
            queue, seen = queue_of(instance), daemon_seen(instance)
    except DagsterStateLost as problem:
        raise ConfigurationError([str(problem)]) from problem
    return replace(
        facts,
        running=queue.running,
        queued=queue.queued,
        queued_since=queue.queued_since,
        daemon_seen=seen,
        daemon_needed=daemon_needed,
    )


def _facts_of_warehouse(connection: Connection, now: datetime) -> HealthFacts:
    chain = last_completed_chain(connection, CHAIN)
    completed = sync_log.last_completed(connection)
    done = {
        asset: at for asset, name in SYNC_TYPES.items() if name in completed and (at := completed[name].completed_at)
    }
    incidents = [
        OpenIncident(each.kind, each.what.splitlines()[0], each.opened_at or each.since)
        for each in open_incidents(connection)
    ]
    return HealthFacts(
        last_good_chain=chain.completed_at if chain else None,
        overdue=find_overdue(done, CADENCES, now),
        incidents=incidents,
    )


def _facts(facts: HealthFacts, healthy: bool, now: datetime) -> dict[str, object]:
    good = facts.last_good_chain
    return {
        "status": "healthy" if healthy else "not healthy",
        "at": now,
        "schema_is_current": facts.schema_problem is None,
        "last_good_chain_at": good,
        "last_good_chain_age_seconds": int((now - good).total_seconds()) if good else None,
        "runs_under_way": facts.running,
        "runs_queued": facts.queued,
        "queued_since": facts.queued_since,
        "daemon_seen_at": facts.daemon_seen,
    }


def _tables(facts: HealthFacts, found: Sequence[Finding]) -> list[Table]:
    return [
        Table("findings", FINDING, list(map(asdict, found))),
        Table("overdue", ("job", "assets", "since"), list(map(asdict, facts.overdue))),
        Table("open_incidents", ("kind", "what", "since"), list(map(asdict, facts.incidents))),
    ]
