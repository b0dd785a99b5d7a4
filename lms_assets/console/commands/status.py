"""`lms-assets status`: the last chain, step by step, as `task_chain_logs` holds it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from lms_assets.automation.chain_log import CHAIN_NAME, reconcile_chains, state_of
from lms_assets.automation.portal_tasks import CHAIN_TASK
from lms_assets.console.environment import settings_from_environment
from lms_assets.console.running.dagster_state import DagsterStateLost, dagster_instance
from lms_assets.console.running.progress import MARKS
from lms_assets.console.running.summary import STATUS_STYLES
from lms_assets.console.wording import quoted, seconds_text
from lms_assets.domain.operations.chain_state import StepRecord
from lms_assets.domain.safety.withheld import WithheldReason, named
from lms_assets.lineage import DAILY_FULL
from lms_assets.resources import load_rules
from lms_assets.settings import ConfigurationError
from lms_assets.warehouse.bookkeeping.chain_log import ChainRow, latest_chain
from lms_assets.warehouse.bookkeeping.portal_tasks import TaskInTrouble, tasks_in_trouble
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.reading import withheld_partners

WITHHELD_SHOWN = 10


def status_command(console: Console) -> int:
    """Print the last chain; returns 0, or 1 when it failed, 3 when it ended partial."""
    settings = settings_from_environment()
    warehouse = Warehouse(settings.warehouse_url)
    try:
        warehouse.require_current_schema()
        reconcile_if_possible(warehouse)
        with warehouse.read() as connection:
            row = latest_chain(connection, CHAIN_NAME)
            troubled = tasks_in_trouble(connection)
            withheld = withheld_partners(connection, load_rules(settings))
    finally:
        warehouse.close()
    if row is None:
        console.print("No chain has run yet. Start one: lms-assets run daily_full", highlight=False)
        return 0
    print_chain(console, row)
    print_tasks(console, troubled, row)
    print_withheld(console, withheld)
    return {"failed": 1, "partial": 3}.get(row.status, 0)


def reconcile_if_possible(warehouse: Warehouse) -> None:
    """Close rows of chains whose process is gone, when Dagster's home is known here."""
    if os.environ.get("DAGSTER_HOME"):
        try:
            with dagster_instance() as instance:
                reconcile_chains(instance, warehouse)
        except DagsterStateLost as problem:
            raise ConfigurationError([str(problem)]) from problem


def print_tasks(console: Console, troubled: Sequence[TaskInTrouble], row: ChainRow) -> None:
    """Print the tasks that another run than the last chain left failed or held back, and why."""
    told = {record.error for record in state_of(row).steps.values()}
    others = [task for task in troubled if task.error not in told and task.task_type != CHAIN_TASK]
    if not others:
        return
    console.print("\nOther runs:", highlight=False)
    for task in others:
        mark = MARKS["failed" if task.status == "failed" else "held_back"]
        what = "failed" if task.status == "failed" else "did not run"
        console.print(f"  {mark} {task.task_type} {what}: {quoted(task.error or '')}", highlight=False, soft_wrap=True)


def print_withheld(console: Console, withheld: Mapping[int, tuple[WithheldReason, ...]]) -> None:
    """Print which partners are not pushed, and why."""
    if not withheld:
        return
    console.print(
        f"\nNot sent to the CRM: {len(withheld):,} partner{'s' if len(withheld) > 1 else ''}", highlight=False
    )
    for line in named(withheld)[:WITHHELD_SHOWN]:
        console.print(f"  {quoted(line)}", highlight=False, soft_wrap=True)
    if len(withheld) > WITHHELD_SHOWN:
        console.print(
            f"  and {len(withheld) - WITHHELD_SHOWN:,} more; lms-assets why PARTNER says more", highlight=False
        )


def print_chain(console: Console, row: ChainRow) -> None:
    """Print one chain's row: its steps, and what held it back."""
    now = datetime.now(UTC)
    seconds = row.total_duration_seconds
    if seconds is None:
        seconds = round(((row.completed_at or now) - row.started_at).total_seconds())
    style = STATUS_STYLES[row.status]
    begun = f"{row.started_at:%Y-%m-%d %H:%M} UTC"
    console.print(
        f"{row.chain_name} of {begun}: [bold {style}]{row.status}[/], {seconds_text(seconds)}", highlight=False
    )
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("")
    table.add_column("step", no_wrap=True)
    table.add_column("status")
    table.add_column("rows", justify="right")
    table.add_column("time", justify="right")
    steps = state_of(row).steps
    for name in [*DAILY_FULL, *(name for name in steps if name not in DAILY_FULL)]:
        _add_step(table, steps.get(name, StepRecord(name, "held_back")), running=row.status == "running")
    console.print(table)
    _print_notes(console, list(steps.values()))
    if row.error_message:
        console.print(f"[red]{quoted(row.error_message)}[/]", highlight=False, soft_wrap=True)
    if row.status in {"failed", "partial"}:
        console.print("What to do: mend the cause, then lms-assets run daily_full --resume", highlight=False)


def _add_step(table: Table, record: StepRecord, *, running: bool) -> None:
    waiting = running and record.status == "held_back"
    seconds = None
    if record.started_at and record.completed_at:
        seconds = (record.completed_at - record.started_at).total_seconds()
    table.add_row(
        MARKS["waiting" if waiting else record.status],
        record.step,
        "waiting" if waiting else record.status.replace("_", " "),
        f"{record.rows:,}" if record.rows is not None else "",
        seconds_text(seconds) if seconds is not None else "",
    )


def _print_notes(console: Console, records: list[StepRecord]) -> None:
    """What was held back and why, and the checks to look at."""
    for record in records:
        if record.error:
            console.print(
                f"  {MARKS[record.status]} {record.step}: {quoted(record.error.splitlines()[0])}", soft_wrap=True
            )
        elif record.failed_checks:
            checks = ", ".join(record.failed_checks)
            console.print(f"  [yellow]notes[/] {record.step}: {checks}", highlight=False, soft_wrap=True)
