"""The portal's task page: `scheduled_tasks` (one row a task) and `task_run_history` (one row a run of a task).

Rows of tasks that this program adds are off from the start, so whatever is on belongs to the portal's old scheduler.
Which those are, switching them off, and back on stands here, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from lms_assets.domain.schedule import Task, TaskStatus
from lms_assets.redaction import scrub
from lms_assets.warehouse.bookkeeping.odd_rows import readable_rows
from lms_assets.warehouse.schema.tables import scheduled_tasks, task_run_history
from lms_assets.warehouse.sync_state import get_state, put_state, remove_state
from lms_assets.warehouse.upsert.upsert import upsert

KEPT = ("task_name", "enabled", "config")
"""Written for new rows only: in an adopted portal they are what people chose."""

_NOT_FOR_OTHERS = {
    "enabled": False,
    "config": {"note": "Dagster's schedules start this task. It is disabled so that no other scheduler starts it too."},
}


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run of a task that says `running`. `run_id` is Dagster's; None in rows that others wrote."""

    id: int
    task_type: str
    run_id: str | None
    started_at: datetime


@dataclass(frozen=True, slots=True)
class FailingTask:
    """A task whose last run failed, or that was blocked since. `last_run_at` is when it last began."""

    task_type: str
    status: str
    last_run_at: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True)
class TaskEnd:
    """How a run of a task ended; `at` is UTC."""

    status: TaskStatus
    at: datetime
    records: int | None = None
    error: str | None = None


def ensure_tasks(
    connection: Connection, tasks: tuple[Task, ...], chain: str, next_runs: Mapping[str, datetime | None], now: datetime
) -> None:
    """Make the rows of these tasks, and keep their place in the chain, their times and their next runs true."""
    rows = [
        {
            "task_type": task.task_type,
            "task_name": task.name,
            **_NOT_FOR_OTHERS,
            "cron_expression": task.cron,
            "task_chain": chain if task.chain_order is not None else None,
            "chain_order": task.chain_order,
            "next_run_at": next_runs.get(task.task_type),
        }
        for task in tasks
    ]
    upsert(connection, scheduled_tasks, rows, key=("task_type",), now=now, insert_only=KEPT)


def begin_run(connection: Connection, task_type: str, run_id: str, *, job: str, at: datetime) -> None:
    """Note that a run of a task began; does nothing when this run's row says `running` already (a step's retry)."""
    if any(each.run_id == run_id for each in open_runs(connection, task_type)):
        return
    task_id = _task_id(connection, task_type)
    values = {"task_type": task_type, "started_at": at, "status": "running"}
    summary = {"run_id": run_id, "job": job}
    connection.execute(insert(task_run_history).values(task_id=task_id, result_summary=summary, **values))
    c = scheduled_tasks.c
    started = {"last_run_at": at, "last_status": "running", "last_error": None, "run_count": c.run_count + 1}
    connection.execute(update(scheduled_tasks).where(c.id == task_id).values(started))


def end_run(connection: Connection, task_type: str, run_id: str, end: TaskEnd) -> bool:
    """Close the row of a run; one that was closed well is corrected when it turns out to have failed after all.

    Gives False when this run has no row.
    """
    h = task_run_history.c
    query = select(task_run_history).where(h.task_type == task_type).order_by(h.id.desc()).limit(20)
    rows, _ = readable_rows(connection, query, h.id)
    row = next((row for row in rows if _run_id(row.result_summary) == run_id), None)
    if row is None:
        return False
    error = scrub(end.error) if end.error else None
    seconds = max(0, round((end.at - row.started_at).total_seconds()))
    values: dict[str, Any] = {"status": end.status, "completed_at": end.at, "duration_seconds": seconds}
    values |= {"error_message": error}
    if end.records is not None:
        values["records_processed"] = end.records
    connection.execute(update(task_run_history).where(h.id == row.id).values(values))
    c = scheduled_tasks.c
    task: dict[str, Any] = {"last_status": end.status, "last_error": error, "last_duration_seconds": seconds}
    if end.status == "failed" and row.status != "failed":
        task["fail_count"] = c.fail_count + 1
    elif end.status == "success" and row.status == "failed":
        task["fail_count"] = c.fail_count - 1
    newest = select(h.id).where(h.task_type == task_type).order_by(h.id.desc()).limit(1)
    if connection.execute(newest).scalar_one() == row.id:
        connection.execute(update(scheduled_tasks).where(c.id == row.task_id).values(task))
    return True


def skip_run(connection: Connection, task_type: str, run_id: str, *, job: str, at: datetime, reason: str) -> None:
    """Note that a task was blocked in a run; does nothing when this run has a row of the task."""
    h = task_run_history.c
    query = select(h.result_summary).where(h.task_type == task_type).order_by(h.id.desc()).limit(20)
    if any(_run_id(row.result_summary) == run_id for row in readable_rows(connection, query, h.id)[0]):
        return
    task_id = _task_id(connection, task_type)
    values = {"task_type": task_type, "started_at": at, "completed_at": at, "status": "skipped", "duration_seconds": 0}
    summary = {"run_id": run_id, "job": job}
    row = {**values, "task_id": task_id, "result_summary": summary, "error_message": scrub(reason)}
    connection.execute(insert(task_run_history).values(row))
    skipped = {"last_status": "skipped", "last_error": scrub(reason)}
    connection.execute(update(scheduled_tasks).where(scheduled_tasks.c.id == task_id).values(skipped))


def open_runs(connection: Connection, task_type: str | None = None) -> tuple[OpenRun, ...]:
    """Runs that say `running`, oldest first; after a crash nobody may be behind them."""
    h = task_run_history.c
    query = select(task_run_history).where(h.status == "running").order_by(h.id)
    if task_type is not None:
        query = query.where(h.task_type == task_type)
    rows, _ = readable_rows(connection, query, h.id)
    return tuple(OpenRun(row.id, row.task_type or "", _run_id(row.result_summary), row.started_at) for row in rows)


def _run_id(summary: Any) -> str | None:
    """The run that a row's summary names; None in rows that others wrote."""
    return summary.get("run_id") if isinstance(summary, dict) else None


def failing_tasks(connection: Connection) -> tuple[FailingTask, ...]:
    """Tasks that did not come through the last time, in the order of the chain, then the others."""
    c = scheduled_tasks.c
    query = select(c.task_type, c.last_status, c.last_run_at, c.last_error).where(
        c.last_status.in_(("failed", "skipped"))
    )
    rows = connection.execute(query.order_by(c.chain_order.is_(None), c.chain_order, c.task_type))
    return tuple(FailingTask(*row) for row in rows)


def forget_runs_before(connection: Connection, before: datetime) -> int:
    """Remove the history of runs begun before an instant; gives how many."""
    return connection.execute(delete(task_run_history).where(task_run_history.c.started_at < before)).rowcount


def _task_id(connection: Connection, task_type: str) -> int:
    query = select(scheduled_tasks.c.id).where(scheduled_tasks.c.task_type == task_type)
    found = connection.execute(query).scalar_one_or_none()
    if found is None:
        made = connection.execute(
            insert(scheduled_tasks).values(task_type=task_type, task_name=task_type, **_NOT_FOR_OTHERS)
        )
        return int((made.inserted_primary_key or (0,))[0])
    return int(found)


_SWITCHED_OFF = "old_scheduler_switched_off"


@dataclass(frozen=True, slots=True)
class EnabledTask:
    """A task that is on; `last_run_at` is UTC."""

    task_type: str
    task_name: str | None
    cron_expression: str | None
    last_run_at: datetime | None


def enabled_tasks(connection: Connection) -> tuple[EnabledTask, ...]:
    """Every task that is on, by its type."""
    c = scheduled_tasks.c
    query = select(c.task_type, c.task_name, c.cron_expression, c.last_run_at).where(c.enabled.is_(True))
    return tuple(EnabledTask(*row) for row in connection.execute(query.order_by(c.task_type)))


def switched_off(connection: Connection) -> tuple[str, ...]:
    """Types of the tasks that `switch_off` has switched off and nobody has switched on again."""
    return tuple(get_state(connection, _SWITCHED_OFF) or ())


def switch_off(connection: Connection, task_types: Iterable[str], *, now: datetime) -> tuple[str, ...]:
    """Switch these off and remember them; gives those that were on."""
    wanted = set(task_types)
    found = [each.task_type for each in enabled_tasks(connection) if each.task_type in wanted]
    before = get_state(connection, _SWITCHED_OFF, lock=True) or []
    _set(connection, found, enabled=False)
    put_state(connection, _SWITCHED_OFF, sorted({*before, *found}), now=now)
    return tuple(found)


def switch_on_again(connection: Connection) -> tuple[str, ...]:
    """Switch on again what `switch_off` switched off, and forget it; gives those tasks."""
    remembered = tuple(get_state(connection, _SWITCHED_OFF, lock=True) or ())
    _set(connection, remembered, enabled=True)
    remove_state(connection, _SWITCHED_OFF)
    return remembered


def chain_is_configured(connection: Connection, chain: str, task_types: Iterable[str]) -> bool:
    """Whether every one of these tasks has its row and its place in the chain."""
    c = scheduled_tasks.c
    query = select(c.task_type).where(c.task_chain == chain, c.chain_order.is_not(None))
    return set(task_types) <= set(connection.execute(query).scalars())


def _set(connection: Connection, task_types: Iterable[str], *, enabled: bool) -> None:
    statement = update(scheduled_tasks).where(scheduled_tasks.c.task_type.in_(list(task_types)))
    connection.execute(statement.values(enabled=enabled))
