"""What a run reports of itself as values beside the text: how far a step is, and for whom the run waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from lms_assets.runs.dagster_internals import EngineEventData

_NOUN, _DONE, _TOTAL, _WAITS_FOR = "progress_of", "done", "total", "waits_for"


@dataclass(frozen=True)
class Progress:
    """`done` of `total` things; `total` is None while it is not known."""

    noun: str
    done: int
    total: int | None = None

    def __str__(self) -> str:
        of_total = f" of {self.total:,}" if self.total is not None else ""
        return f"{self.noun}: {self.done:,}{of_total}"


def report_progress(log: dg.DagsterLogManager, run: dg.DagsterRun, step: str, progress: Progress) -> None:
    """Write how far a step is into the run's log."""
    values = {_NOUN: progress.noun, _DONE: progress.done, _TOTAL: progress.total}
    _report(log, run.job_name, step, str(progress), values)


def report_waiting(log: dg.DagsterLogManager, job: str, holder: str) -> None:
    """Write into the run's log which other run this one waits for."""
    _report(log, job, None, f"Waits: {holder}", {_WAITS_FOR: holder})


def _report(log: dg.DagsterLogManager, job: str, step: str | None, text: str, values: Mapping[str, Any]) -> None:
    data = EngineEventData({name: value for name, value in values.items() if value is not None})
    kind = dg.DagsterEventType.ENGINE_EVENT.value
    event = dg.DagsterEvent(kind, job, step_key=step, event_specific_data=data, message=text)
    log.log_dagster_event("INFO", text, event)


def progress_of(event: dg.DagsterEvent) -> Progress | None:
    """How far the step of an event is; None when the event is about something else."""
    values = _values(event)
    noun, done, total = values.get(_NOUN), values.get(_DONE), values.get(_TOTAL)
    if not isinstance(noun, str) or not isinstance(done, int):
        return None
    return Progress(noun, done, total if isinstance(total, int) else None)


def waits_for(event: dg.DagsterEvent) -> str | None:
    """Whom a run waits for at an event; None when the event is about something else."""
    holder = _values(event).get(_WAITS_FOR)
    return holder if isinstance(holder, str) else None


def _values(event: dg.DagsterEvent) -> dict[str, object]:
    data = event.event_specific_data
    return {name: entry.value for name, entry in data.metadata.items()} if isinstance(data, EngineEventData) else {}
