"""Keeps the portal's task page up to date: live from the events of every run, and from Dagster's storage after a crash.

Every run counts, however it was started: by schedule, by hand in the UI, or `lms-assets run`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import dagster as dg

from lms_assets.automation.event_mapping import chain_event, chain_events
from lms_assets.domain.operations.chain_state import CHECKS_SUFFIX, ChainEvent, blocked_by, fold
from lms_assets.domain.schedule import CHAIN, CHAIN_TASK, ScheduleEntry, Task
from lms_assets.lineage import ASSETS, CHAIN_LINE, CLEANUP_LINE, DAILY_FULL, TIMETABLE, ancestors
from lms_assets.registry import Asset
from lms_assets.runs.active import FINISHED
from lms_assets.warehouse.bookkeeping.chain_log import chain_of_run
from lms_assets.warehouse.bookkeeping.portal_tasks import TaskEnd, begin_run, end_run, ensure_tasks, open_runs, skip_run
from lms_assets.warehouse.engine import Connection, Warehouse
from lms_assets.warehouse.sync_state import get_state, put_state

_RECORDED_UNTIL = "task_runs_recorded_until"
_OVERLAP = timedelta(minutes=10)
_LOOK_BACK = timedelta(days=2)


def _lines(asset: Asset) -> tuple[ScheduleEntry, ...]:
    """The schedule entries that run an asset."""
    return tuple(line for line in TIMETABLE if line.job in asset.jobs)


def _place(asset: Asset) -> int | None:
    """The asset's place in the chain, from 1."""
    return DAILY_FULL.index(asset.key) + 1 if asset.key in DAILY_FULL else None


TASKS = (
    Task(CHAIN_TASK, "Daily sync, the whole chain", None, (CHAIN_LINE,), 0),
    *(
        Task(asset.sync_type, asset.task, asset.key, _lines(asset), _place(asset))
        for asset in ASSETS
        if asset.task is not None
    ),
    Task("cleanup", "Cleanup of old logs", "remove_what_is_old", (CLEANUP_LINE,)),
)
TASK_OF_STEP = {task.asset: task.task_type for task in TASKS if task.asset}

Write = Callable[[Connection], object]


def task_write(event: dg.DagsterEvent, run_id: str, job: str, at: datetime) -> Write | None:
    """What an event of a run changes on the task page; None when it changes nothing."""
    change = chain_event(event, at)
    if change is None:
        return None
    task_type = TASK_OF_STEP.get(change.step.removesuffix(CHECKS_SUFFIX))
    if task_type is None:
        return None
    if change.step.endswith(CHECKS_SUFFIX):
        return _after_check(change, task_type, run_id)
    if change.kind == "started":
        return lambda connection: begin_run(connection, task_type, run_id, job=job, at=at)
    if change.kind == "materialized":
        _rows[run_id, change.step] = change.rows
        return None
    if change.kind == "succeeded":
        end = TaskEnd("success", at, records=_rows.pop((run_id, change.step), None))
    elif change.kind == "failed":
        end = TaskEnd("failed", at, error=change.message or "failed")
    else:
        return None
    return lambda connection: end_run(connection, task_type, run_id, end)


_rows: dict[tuple[str, str], int | None] = {}


def _after_check(change: ChainEvent, task_type: str, run_id: str) -> Write | None:
    """A check that fails, and is no mere warning, makes the run of its task a failed one."""
    if change.kind != "check" or change.passed or change.warning:
        return None
    end = TaskEnd("failed", change.at, error=f"{change.check}: {change.message or 'failed'}")
    return lambda connection: end_run(connection, task_type, run_id, end)


def chain_task_begins(run_id: str, at: datetime) -> Write:
    """The whole chain's own row begins."""
    return lambda connection: begin_run(connection, CHAIN_TASK, run_id, job=CHAIN, at=at)


def chain_task_ends(run_id: str, status: str, at: datetime, error: str | None) -> Write:
    """The whole chain's own row ends; a partial chain is no success, and its error begins with `partial`."""
    end = _end_of_chain(status, at, error)
    return lambda connection: end_run(connection, CHAIN_TASK, run_id, end)


def _end_of_chain(status: str, at: datetime, error: str | None) -> TaskEnd:
    if status == "completed":
        return TaskEnd("success", at)
    return TaskEnd("failed", at, error=f"partial: {error}" if status == "partial" else error)


def refresh_tasks(instance: dg.DagsterInstance, warehouse: Warehouse, now: datetime) -> None:
    """Make and fix the task page: rows of all tasks, next runs, runs that died, tasks that were blocked."""
    on = schedules_on(instance)
    next_runs = {task.task_type: task.next_run(now, on) for task in TASKS}
    warehouse.in_transaction(lambda connection: ensure_tasks(connection, TASKS, CHAIN, next_runs, now))
    _close_dead_runs(instance, warehouse, now)
    _note_blocked(instance, warehouse, now)


def schedules_on(instance: dg.DagsterInstance) -> frozenset[str]:
    """Names of the schedules that are switched on."""
    states = instance.all_instigator_state()
    return frozenset(
        state.instigator_name for state in states if state.is_running and state.instigator_type.value == "SCHEDULE"
    )


def _close_dead_runs(instance: dg.DagsterInstance, warehouse: Warehouse, now: datetime) -> None:
    with warehouse.read() as connection:
        running = open_runs(connection)
    for each in running:
        run = instance.get_run_by_id(each.run_id) if each.run_id else None
        if each.run_id is None or (run is not None and not run.is_finished):
            continue
        end = TaskEnd("failed", now, error="the run ended without a result (killed, or the machine stopped)")
        if run is not None:
            end_of = _end_from_chain if each.task_type == CHAIN_TASK else _end_from_events
            end = end_of(instance, warehouse, run, each.task_type) or end
        warehouse.in_transaction(lambda c, each=each, end=end: end_run(c, each.task_type, each.run_id or "", end))  # type: ignore[misc]


def _end_from_chain(_: dg.DagsterInstance, warehouse: Warehouse, run: dg.DagsterRun, __: str) -> TaskEnd | None:
    with warehouse.read() as connection:
        row = chain_of_run(connection, CHAIN, run.root_run_id or run.run_id)
    if row is None or row.completed_at is None:
        return None
    return _end_of_chain(row.status, row.completed_at, row.error_message)


def _end_from_events(instance: dg.DagsterInstance, _: Warehouse, run: dg.DagsterRun, task_type: str) -> TaskEnd | None:
    step = next((asset for asset, name in TASK_OF_STEP.items() if name == task_type), None)
    record = fold(chain_events(instance.all_logs(run.run_id))).steps.get(step or "")
    if record is None or record.completed_at is None:
        return None
    if record.status == "completed":
        return TaskEnd("success", record.completed_at, records=record.rows)
    return TaskEnd("failed", record.completed_at, records=record.rows, error=record.error)


def _note_blocked(instance: dg.DagsterInstance, warehouse: Warehouse, now: datetime) -> None:
    """Dagster stores no event of a step that was blocked: it is one that was planned and never began."""
    with warehouse.read() as connection:
        known = get_state(connection, _RECORDED_UNTIL)
    since = datetime.fromisoformat(known) - _OVERLAP if known else now - _LOOK_BACK
    ended = instance.get_run_records(filters=dg.RunsFilter(statuses=FINISHED, updated_after=since), limit=200)
    for record in ended:
        if record.dagster_run.status != dg.DagsterRunStatus.SUCCESS:
            _note_blocked_of(instance, warehouse, record)
    warehouse.in_transaction(lambda connection: put_state(connection, _RECORDED_UNTIL, now.isoformat(), now=now))


def _note_blocked_of(instance: dg.DagsterInstance, warehouse: Warehouse, record: dg.RunRecord) -> None:
    run = record.dagster_run
    if run.execution_plan_snapshot_id is None:
        return
    planned = instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id).step_keys_to_execute
    state = fold(chain_events(instance.all_logs(run.run_id)))
    ended_at = datetime.fromtimestamp(record.end_time or record.update_timestamp.timestamp(), UTC)
    reason = "the run was cancelled" if run.status == dg.DagsterRunStatus.CANCELED else None
    for step in planned:
        task_type = TASK_OF_STEP.get(step)
        if task_type is None or (step in state.steps and state.steps[step].attempts):
            continue
        why = blocked_by(state.steps.values(), ancestors((step,)), reason)

        def work(connection: Connection, task_type: str = task_type, why: str = why) -> None:
            skip_run(connection, task_type, run.run_id, job=run.job_name, at=ended_at, reason=why)

        warehouse.in_transaction(work)
