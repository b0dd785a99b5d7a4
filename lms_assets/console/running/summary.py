"""What a person sees of a run: its steps as they happen, and a summary when it is over.

Steps are bars on a terminal, a line for each finished one elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

import dagster as dg
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from lms_assets.automation.event_mapping import chain_events
from lms_assets.checks.evaluations import what_to_do
from lms_assets.console.command import MARKS, STATUS_STYLES, quoted, seconds_text
from lms_assets.console.offboarding_plans import how_to_review, removals_text
from lms_assets.console.running.runner import RunResult
from lms_assets.domain.operations.chain_state import (
    CHECKS_SUFFIX,
    ChainEvent,
    ChainState,
    ChainStatus,
    StepRecord,
    apply_event,
)
from lms_assets.domain.schedule import CHAIN
from lms_assets.domain.wording import number_of
from lms_assets.runs.progress import progress_of, waits_for


def print_summary(
    console: Console,
    instance: dg.DagsterInstance,
    result: RunResult,
    *,
    job: str,
    state: ChainState,
    status: ChainStatus,
) -> None:
    """Print the run's outcome, step by step."""
    figures = _figures(instance, result.run_id)
    evaluations = _evaluations(instance, result.run_id)
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("")
    table.add_column("step", no_wrap=True)
    for name in ("rows", "new", "changed", "gone", "calls", "time", "checks"):
        table.add_column(name, justify="right")
    for record in state.steps.values():
        table.add_row(*_cells(record, figures.get(record.step, {}), evaluations.get(record.step, (0, 0))))
    console.print()
    console.print(table)
    _print_push(console, figures.get("pushed_partner_cert_counts"))
    for report in ("pam_weekly_report", "executive_weekly_report"):
        _print_report(console, report, figures.get(report))
    _print_plan(console, figures.get("lms_offboarding_plan"))
    _print_failed_checks(console, instance, result.run_id)
    _print_errors(console, state)
    console.print(f"\n{job}: [bold {STATUS_STYLES[status]}]{status}[/]", highlight=False)
    if status != "completed" and job == CHAIN:
        again = "Dagster does not retry a run from a terminal: fix the cause, then "
        console.print(f"{again}lms-assets run {CHAIN} --resume", highlight=False, soft_wrap=True)


def _cells(record: StepRecord, figures: dict[str, object], checks: tuple[int, int]) -> tuple[str, ...]:
    seconds = None
    if record.started_at and record.completed_at:
        seconds = (record.completed_at - record.started_at).total_seconds()
    return (
        MARKS[record.status],
        record.step,
        f"{record.rows:,}" if record.rows is not None else "–",
        _count(figures, "created"),
        _count(figures, "updated", "reactivated"),
        _count(figures, "deactivated", "removed"),
        _count(figures, "api_calls"),
        seconds_text(seconds),
        _passed(*checks),
    )


def _passed(passed: int, total: int) -> str:
    if not total:
        return "–"
    return f"{passed}/{total}" if passed == total else f"[yellow]{passed}/{total}[/]"


def _figures(instance: dg.DagsterInstance, run_id: str) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION):
        event = entry.dagster_event
        if event is not None and event.step_key and event.step_key not in found:
            materialization = event.step_materialization_data.materialization
            found[event.step_key] = {name: value.value for name, value in materialization.metadata.items()}
    return found


def _evaluations(instance: dg.DagsterInstance, run_id: str) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for evaluation in _checks(instance, run_id):
        asset = evaluation.asset_key.to_user_string()
        passed, total = found.get(asset, (0, 0))
        found[asset] = (passed + evaluation.passed, total + 1)
    return found


def _checks(instance: dg.DagsterInstance, run_id: str) -> list[dg.AssetCheckEvaluation]:
    entries = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    return [
        entry.dagster_event.event_specific_data
        for entry in entries
        if entry.dagster_event and isinstance(entry.dagster_event.event_specific_data, dg.AssetCheckEvaluation)
    ]


def _count(metadata: dict[str, object], *names: str) -> str:
    values = [metadata[name] for name in names if isinstance(metadata.get(name), int)]
    return f"{sum(int(str(value)) for value in values):,}" if values else "–"


def _print_push(console: Console, push: dict[str, object] | None) -> None:
    if push is None:
        return
    if push.get("dry_run"):
        differ = number_of(push.get("differing"), "partner differs", "partners differ")
        console.print(f"\nPush: dry run, {differ} and nothing was sent", highlight=False)
    elif not push.get("differing"):
        console.print("\nPush: nothing differs from what the CRM confirmed, nothing was sent", highlight=False)
    else:
        sent = number_of(push.get("sent"), "partner")
        outcome = f"{push.get('confirmed')} confirmed, {push.get('failed')} failed"
        console.print(f"\nPush: {sent} sent, {outcome}", highlight=False)


def _print_report(console: Console, report: str, figures: dict[str, object] | None) -> None:
    if figures is None:
        return
    found = figures.get("file_names")
    names = found if isinstance(found, list) else []
    kinds = ("skipped", "failed") if names else ("sent", "skipped", "failed")
    counts = [f"{figures.get(name, 0)} {name}" for name in kinds]
    written = [f"{number_of(len(names), 'file')} written (no mail server)"] if names else []
    console.print(f"\n{report}: {', '.join([*written, *counts])}", highlight=False)
    for name in names:
        console.print(f"  {quoted(figures.get('folder'))}/{quoted(name)}", highlight=False, soft_wrap=True)


def _print_plan(console: Console, figures: dict[str, object] | None) -> None:
    if figures is None:
        return
    plan_id = int(str(figures["plan"]))
    size = removals_text(figures.get("dagster/row_count"), figures.get("people"))
    console.print(f"\nPlan {plan_id}: {size}. Nothing was sent.", highlight=False)
    if figures.get("dagster/row_count"):
        console.print(how_to_review(plan_id), highlight=False, soft_wrap=True)


def _print_failed_checks(console: Console, instance: dg.DagsterInstance, run_id: str) -> None:
    failed = [each for each in _checks(instance, run_id) if not each.passed]
    if not failed:
        return
    console.print("\nTo look at:", highlight=False)
    for each in sorted(failed, key=lambda item: (item.severity.value, item.check_name)):
        stops = (
            "[red]stops[/]" if each.blocking and each.severity == dg.AssetCheckSeverity.ERROR else "[yellow]warning[/]"
        )
        console.print(f"  {stops} {each.check_name}: {quoted(each.description or '')}", highlight=False, soft_wrap=True)
        if each.blocking and (remedy := what_to_do(each)):
            console.print(f"        {quoted(remedy)}", highlight=False, soft_wrap=True)


def _print_errors(console: Console, state: ChainState) -> None:
    for record in state.steps.values():
        if record.status in {"failed", "degraded", "blocked"} and record.error:
            lines = quoted(record.error.strip()).splitlines() or [""]
            console.print(f"  {MARKS[record.status]} {record.step}: {lines[0]}", highlight=False, soft_wrap=True)


class StepsView:
    """A context manager that is fed events and draws how far each step is."""

    def __init__(self, steps: Sequence[str], console: Console) -> None:
        self._console = console
        self._state = ChainState()
        self._live = console.is_terminal
        self._printed: set[tuple[str, str]] = set()
        self._progress = Progress(
            TextColumn("{task.fields[mark]}"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=console,
            disable=not self._live,
        )
        self._tasks: dict[str, TaskID] = {
            step: self._progress.add_task(step, start=False, total=1, mark=MARKS["waiting"], note="") for step in steps
        }

    def __enter__(self) -> StepsView:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def feed(self, entries: list[dg.EventLogEntry]) -> None:
        """Take in new events of the run, in their order."""
        for entry in entries:
            if entry.dagster_event is None:
                continue
            self._report(entry.dagster_event)
            for event in chain_events([entry]):
                self._state = apply_event(self._state, event)
                self._draw(event)

    def _report(self, event: dg.DagsterEvent) -> None:
        holder, progress = waits_for(event), progress_of(event)
        if holder is not None:
            self._console.print(quoted(f"Waits: {holder}"), highlight=False, soft_wrap=True)
        task = self._tasks.get(event.step_key or "")
        if progress is None or task is None:
            return
        note = f"{progress.done:,}" + (
            f" of {progress.total:,} {progress.noun}" if progress.total else f" {progress.noun}"
        )
        self._progress.update(task, completed=progress.done, total=progress.total, note=note)

    def _draw(self, event: ChainEvent) -> None:
        name = event.step.removesuffix(CHECKS_SUFFIX)
        record = self._state.steps.get(name)
        task = self._tasks.get(name)
        if record is None or task is None:
            return
        mark = MARKS[record.status]
        if event.kind == "started" and event.step == name:
            self._progress.reset(task, total=None, mark=mark, note="")
        elif record.status in {"completed", "failed"}:
            self._progress.update(task, completed=1, total=1, mark=mark, note=_note(record))
            if event.kind in {"succeeded", "failed"} and event.step == name:
                self._progress.stop_task(task)
            self._print_once(record, event)
        else:
            self._progress.update(task, mark=mark)

    def _print_once(self, record: StepRecord, event: ChainEvent) -> None:
        if self._live or event.kind not in {"succeeded", "failed"} or (record.step, record.status) in self._printed:
            return
        self._printed.add((record.step, record.status))
        self._console.print(f"{MARKS[record.status]} {record.step:<28} {_note(record)}", highlight=False)


def _note(record: StepRecord) -> str:
    if record.status == "failed":
        first_line = (record.error or "failed").splitlines()[0]
        return f"[red]{quoted(first_line[:100])}[/]"
    rows = number_of(record.rows, "row") if record.rows is not None else ""
    failed = f" [yellow]{number_of(len(record.failed_checks), 'check')} to look at[/]" if record.failed_checks else ""
    return rows + failed
