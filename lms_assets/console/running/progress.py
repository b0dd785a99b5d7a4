"""Shows a run's steps as they happen: bars on a terminal, a line per finished step elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

import dagster as dg
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from lms_assets.automation.event_mapping import chain_events
from lms_assets.console.wording import MARKS, quoted
from lms_assets.domain.operations.chain_state import CHECKS_SUFFIX, ChainEvent, ChainState, StepRecord, apply_event
from lms_assets.domain.wording import number_of
from lms_assets.runs.progress import progress_of, waits_for


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
