"""What a person wants to know when a run is over: each step, the checks, the push, and what to do."""

from __future__ import annotations

import dagster as dg
from rich.console import Console
from rich.table import Table

from lms_assets.checks.evaluations import what_to_do
from lms_assets.console.offboarding_plans import how_to_review, removals_text
from lms_assets.console.running.runner import RunResult
from lms_assets.console.wording import MARKS, STATUS_STYLES, quoted, seconds_text
from lms_assets.domain.operations.chain_state import ChainState, ChainStatus, StepRecord
from lms_assets.domain.schedule import CHAIN
from lms_assets.domain.wording import number_of


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
        again = "A run from a terminal is not tried again by itself: fix the cause, then "
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
            "[red]stops[/]" if each.blocking and each.severity == dg.AssetCheckSeverity.ERROR else "[yellow]notes[/]"
        )
        console.print(f"  {stops} {each.check_name}: {quoted(each.description or '')}", highlight=False, soft_wrap=True)
        if each.blocking and (remedy := what_to_do(each)):
            console.print(f"        {quoted(remedy)}", highlight=False, soft_wrap=True)


def _print_errors(console: Console, state: ChainState) -> None:
    for record in state.steps.values():
        if record.status in {"failed", "degraded", "blocked"} and record.error:
            lines = quoted(record.error.strip()).splitlines() or [""]
            console.print(f"  {MARKS[record.status]} {record.step}: {lines[0]}", highlight=False, soft_wrap=True)
