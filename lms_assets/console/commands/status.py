"""`lms-assets status`: the last chain, step by step, as `task_chain_logs` holds it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table as RichTable

from lms_assets.console.command import MARKS, STATUS_STYLES, quoted, seconds_text, settings_from_environment
from lms_assets.console.tables import Output, Table, deliver
from lms_assets.domain.operations.chain_state import StepRecord
from lms_assets.domain.safety.withheld import WithheldReason, named
from lms_assets.domain.schedule import CHAIN, CHAIN_TASK
from lms_assets.domain.wording import number_of
from lms_assets.lineage import DAILY_FULL
from lms_assets.rules_file import load_rules
from lms_assets.settings import ConfigurationError
from lms_assets.warehouse.bookkeeping.chain_log import ChainRow, latest_chain, running_chains
from lms_assets.warehouse.bookkeeping.portal_tasks import FailingTask, failing_tasks, open_runs
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.reading.withheld import withheld_partners
from lms_assets.warehouse.state.overrides import OverrideUse, uses_since

WITHHELD_SHOWN = 10


@dataclass(frozen=True)
class Status:
    """What the command shows: the last chain, what other runs left, who is withheld, which limits were passed."""

    row: ChainRow
    tasks: Sequence[FailingTask]
    withheld: Mapping[int, tuple[WithheldReason, ...]]
    uses: Sequence[OverrideUse]


def status_command(console: Console, output: Output) -> int:
    """Print the last chain; returns 0, or 1 when it failed, 3 when it ended partial."""
    settings = settings_from_environment()
    with Warehouse.opened(settings.warehouse_url) as warehouse:
        reconcile_if_possible(warehouse)
        with warehouse.read() as connection:
            row = latest_chain(connection, CHAIN)
            if row is not None:
                tasks = others_in_incident(failing_tasks(connection), row)
                withheld = withheld_partners(connection, load_rules(settings))
                found = Status(row, tasks, withheld, uses_since(connection, row.started_at))
    if row is None:
        if not deliver([STEPS, OTHER_RUNS, WITHHELD, OVERRIDES], output, console, facts=NO_CHAIN):
            console.print(f"No chain has run yet. Start one: lms-assets run {CHAIN}", highlight=False)
        return 0
    facts, tables = status_tables(found)
    if not deliver(tables, output, console, facts=facts):
        print_chain(console, row)
        print_tasks(console, found.tasks)
        print_withheld(console, found.withheld)
        print_uses(console, found.uses)
    return {"failed": 1, "partial": 3}.get(row.status, 0)


STEPS = Table(
    "steps",
    ("step", "status", "rows", "started_at", "completed_at", "duration_seconds", "attempts", "error", "failed_checks"),
    (),
)
OTHER_RUNS = Table("other_runs", ("task", "status", "last_run_at", "error"), ())
WITHHELD = Table("withheld", ("partner", "kind", "reason"), ())
OVERRIDES = Table("overrides_used", ("what", "scope", "number", "asset", "used_by", "used_at", "run_id"), ())
NO_CHAIN: Mapping[str, object] = dict.fromkeys(
    ("chain", "run_id", "status", "started_at", "completed_at", "duration_seconds", "as_of", "error_message")
)


def status_tables(found: Status) -> tuple[Mapping[str, object], Sequence[Table]]:
    """All that the text says, for programs: facts of the chain, then the steps and what stands below them."""
    row = found.row
    facts = {
        "chain": row.chain_name,
        "run_id": row.run_id,
        "status": row.status,
        "started_at": row.started_at,
        "completed_at": row.completed_at,
        "duration_seconds": _seconds(row),
        "as_of": row.as_of,
        "error_message": row.error_message,
    }
    steps = [{**record.as_json(), "status": _said(record, row)} for record in _records(row)]
    withheld = [
        {"partner": partner, "kind": each.kind, "reason": each.text}
        for partner, reasons in found.withheld.items()
        for each in reasons
    ]
    tasks = [
        {"task": each.task_type, "status": each.status, "last_run_at": each.last_run_at, "error": each.error}
        for each in found.tasks
    ]
    return facts, [
        replace(STEPS, rows=steps),
        replace(OTHER_RUNS, rows=tasks),
        replace(WITHHELD, rows=withheld),
        replace(OVERRIDES, rows=[asdict(each) for each in found.uses]),
    ]


def reconcile_if_possible(warehouse: Warehouse) -> None:
    """Close rows of chains and tasks whose process is gone, when Dagster's home is known here.

    Dagster, which takes a second to load, is asked only when something is noted as running.
    """
    with warehouse.read() as connection:
        noted = running_chains(connection, CHAIN) or open_runs(connection)
    if noted and os.environ.get("DAGSTER_HOME"):
        from lms_assets.automation.chain_log import reconcile_chains
        from lms_assets.console.running.dagster_state import DagsterStateLost, dagster_instance

        try:
            with dagster_instance() as instance:
                reconcile_chains(instance, warehouse)
        except DagsterStateLost as problem:
            raise ConfigurationError([str(problem)]) from problem


def others_in_incident(failing: Sequence[FailingTask], row: ChainRow) -> list[FailingTask]:
    """The tasks that another run than the last chain left failed or blocked."""
    told = {record.error for record in row.state.steps.values()}
    return [task for task in failing if task.error not in told and task.task_type != CHAIN_TASK]


def print_tasks(console: Console, others: Sequence[FailingTask]) -> None:
    """Print the tasks that another run than the last chain left failed or blocked, and why."""
    if not others:
        return
    console.print("\nOther runs:", highlight=False)
    for task in others:
        mark = MARKS["failed" if task.status == "failed" else "blocked"]
        what = "failed" if task.status == "failed" else "did not run"
        console.print(f"  {mark} {task.task_type} {what}: {quoted(task.error or '')}", highlight=False, soft_wrap=True)


def print_withheld(console: Console, withheld: Mapping[int, tuple[WithheldReason, ...]]) -> None:
    """Print which partners are not pushed, and why."""
    if not withheld:
        return
    console.print(f"\nNot sent to the CRM: {number_of(len(withheld), 'partner')}", highlight=False)
    for line in named(withheld)[:WITHHELD_SHOWN]:
        console.print(f"  {quoted(line)}", highlight=False, soft_wrap=True)
    if len(withheld) > WITHHELD_SHOWN:
        console.print(
            f"  and {len(withheld) - WITHHELD_SHOWN:,} more; lms-assets why PARTNER says more", highlight=False
        )


def print_uses(console: Console, uses: Sequence[OverrideUse]) -> None:
    """Print which limits runs passed since the chain began, and who allowed it."""
    if not uses:
        return
    console.print("\nLimits passed because somebody allowed it:", highlight=False)
    for each in uses:
        scope = f" ({each.scope})" if each.scope else ""
        number = f", {each.number:,}" if each.number is not None else ""
        by = f"allowed by {each.used_by or 'unknown'}, {each.used_at:%Y-%m-%d %H:%M} UTC"
        line = f"{each.what}{scope}{number} in {each.asset}: {by}"
        console.print(f"  {quoted(line)}", highlight=False, soft_wrap=True)


def print_chain(console: Console, row: ChainRow) -> None:
    """Print one chain's row: its steps, and what blocked it."""
    style = STATUS_STYLES[row.status]
    begun = f"{row.started_at:%Y-%m-%d %H:%M} UTC"
    console.print(
        f"{row.chain_name} of {begun}: [bold {style}]{row.status}[/], {seconds_text(_seconds(row))}", highlight=False
    )
    table = RichTable(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("")
    table.add_column("step", no_wrap=True)
    table.add_column("status")
    table.add_column("rows", justify="right")
    table.add_column("time", justify="right")
    for record in _records(row):
        _add_step(table, record, _said(record, row))
    console.print(table)
    _print_notes(console, list(row.state.steps.values()))
    if row.error_message:
        console.print(f"[red]{quoted(row.error_message)}[/]", highlight=False, soft_wrap=True)
    if row.status in {"failed", "partial"}:
        console.print(f"What to do: fix the cause, then lms-assets run {CHAIN} --resume", highlight=False)


def _seconds(row: ChainRow) -> int:
    """How long the chain took, or runs by now."""
    if row.total_duration_seconds is not None:
        return row.total_duration_seconds
    return round(((row.completed_at or datetime.now(UTC)) - row.started_at).total_seconds())


def _records(row: ChainRow) -> list[StepRecord]:
    """Every step of the chain in its order, also those that have not begun."""
    steps = row.state.steps
    names = [*DAILY_FULL, *(name for name in steps if name not in DAILY_FULL)]
    return [steps.get(name, StepRecord(name, "blocked")) for name in names]


def _said(record: StepRecord, row: ChainRow) -> str:
    """A step's status; in a running chain a step that has not begun waits."""
    return "waiting" if row.status == "running" and record.status == "blocked" else record.status


def _add_step(table: RichTable, record: StepRecord, said: str) -> None:
    seconds = None
    if record.started_at and record.completed_at:
        seconds = (record.completed_at - record.started_at).total_seconds()
    table.add_row(
        MARKS[said],
        record.step,
        said.replace("_", " "),
        f"{record.rows:,}" if record.rows is not None else "",
        seconds_text(seconds) if seconds is not None else "",
    )


def _print_notes(console: Console, records: list[StepRecord]) -> None:
    """What was blocked and why, and the checks to look at."""
    for record in records:
        if record.error:
            console.print(
                f"  {MARKS[record.status]} {record.step}: {quoted(record.error.splitlines()[0])}", soft_wrap=True
            )
        elif record.failed_checks:
            checks = ", ".join(record.failed_checks)
            console.print(f"  [yellow]warning[/] {record.step}: {checks}", highlight=False, soft_wrap=True)
