"""Keeps the row of a chain in `task_chain_logs` up to date: while it runs, when it ends, and after a crash.

While it runs, a logging handler (`add_chain_log` adds it to every run) sees every event in the process where it
happens, so `current_step` is right within moments. When the process was killed, no event reports its end:
`reconcile_chains` reads the event log again and closes the row.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from lms_assets.automation.event_mapping import chain_event, chain_events
from lms_assets.automation.portal_tasks import Write, chain_task_begins, chain_task_ends, refresh_tasks, task_write
from lms_assets.checks.specs import DEGRADING
from lms_assets.domain.operations.chain_state import (
    ChainEvent,
    ChainState,
    apply_event,
    close,
    final_status,
    fold,
)
from lms_assets.domain.safety.run_instants import parse_as_of
from lms_assets.domain.schedule import CHAIN
from lms_assets.lineage import DAILY_FULL, NOT_REQUIRED, ancestors
from lms_assets.run_tags import AS_OF_TAG
from lms_assets.runs.active import UNFINISHED
from lms_assets.runs.json_logs import json_handler, json_wanted, log_as_json
from lms_assets.runs.liveness import fail_dead_runs, hold_run, is_alive, our_warehouse, release_run
from lms_assets.warehouse.bookkeeping.chain_log import ChainRow, ChainStore
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.errors import WarehouseError

ROOT_RUN_TAG = "dagster/root_run_id"

RUN_ENDS = frozenset({"PIPELINE_SUCCESS", "PIPELINE_FAILURE", "PIPELINE_CANCELED"})


def with_state(row: ChainRow, state: ChainState) -> ChainRow:
    """The row of a running chain in this state."""
    return replace(
        row,
        status="running",
        completed_at=None,
        total_duration_seconds=None,
        steps=tuple(record.as_json() for record in state.steps.values()),
        current_step=state.current_step,
        error_message=state.error_message,
    )


def closed(row: ChainRow, state: ChainState, ended_at: datetime, reason: str | None) -> ChainRow:
    """The row of a chain whose run is over; `reason` is why, for a run that was cancelled or killed."""
    state = close(state, DAILY_FULL, DEGRADING, reason, upstream=lambda step: ancestors((step,)))
    status = final_status(state, NOT_REQUIRED)
    return replace(
        with_state(row, state),
        status=status,
        completed_at=ended_at,
        current_step=None,
        error_message=None if status == "completed" else state.error_message or reason,
        total_duration_seconds=round((ended_at - row.started_at).total_seconds()),
    )


class ChainLogHandler(logging.Handler):
    """Writes what happens to a chain into its row, and holds the run's lock while its worker lives.

    An error of the warehouse never disturbs the run: it is printed on standard error, and `reconcile_chains` corrects
    the row from the event log.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Take in one log record of Dagster's."""
        meta: Mapping[str, Any] = getattr(record, "dagster_meta", {})
        event: dg.DagsterEvent | None = meta.get("dagster_event")
        run_id = meta.get("run_id")
        if event is None or run_id is None:
            return
        kind = event.event_type_value
        if kind == "PIPELINE_START":
            _hold_lock(run_id)
        elif is_alive(_home(), run_id) is False:
            # A step that outlived its run's worker: its events are no longer part of this chain.
            return
        at = datetime.fromtimestamp(record.created, UTC)
        try:
            if meta.get("job_name") == CHAIN:
                _write(event, run_id, meta.get("job_tags") or {}, at)
            _write_task(task_write(event, run_id, str(meta.get("job_name")), at))
        except Exception as error:  # noqa: BLE001 - a log that cannot be written must not fail the sync
            print(f"chain log: {error}; it is corrected from the event log later", file=sys.stderr)  # noqa: T201
        if kind in RUN_ENDS:
            release_run(_home(), run_id)


def _home() -> Path:
    return Path(os.environ.get("DAGSTER_HOME", "."))


def _hold_lock(run_id: str) -> None:
    try:
        hold_run(_home(), run_id)
    except (OSError, WarehouseError) as error:
        print(f"run lock: {error}", file=sys.stderr)  # noqa: T201


def _write_task(work: Write | None) -> None:
    if work is not None:
        our_warehouse().in_transaction(work)


def _write(event: dg.DagsterEvent, run_id: str, tags: Mapping[str, str], at: datetime) -> None:
    store = ChainStore(our_warehouse(), CHAIN)
    root = tags.get(ROOT_RUN_TAG, run_id)
    kind = event.event_type_value
    if kind == "PIPELINE_START":
        store.open(root, now=at, as_of=_as_of(tags) or at)
        store.change(root, lambda row: with_state(row, row.state))
        _write_task(chain_task_begins(run_id, at))
    elif kind in RUN_ENDS:
        reason = "cancelled" if kind == "PIPELINE_CANCELED" else None
        row = store.change(root, lambda row: closed(row, row.state, at, reason))
        if row is not None:
            _write_task(chain_task_ends(run_id, row.status, at, row.error_message))
    else:
        change = chain_event(event, at)
        if change is not None and not _is_repeated(run_id, change):
            store.change(root, lambda row: with_state(row, apply_event(row.state, change)))


def _as_of(tags: Mapping[str, str]) -> datetime | None:
    """The instant that the run asks for; None without one, or with text that is none (its steps refuse that)."""
    try:
        return parse_as_of(tags[AS_OF_TAG]) if AS_OF_TAG in tags else None
    except ValueError:
        return None


_materialized: set[tuple[str, str]] = set()


def _is_repeated(run_id: str, event: ChainEvent) -> bool:
    """Whether this is one more partition of an asset that has been noted: a range makes one event each."""
    if event.kind != "materialized":
        return False
    if (run_id, event.step) in _materialized:
        return True
    _materialized.add((run_id, event.step))
    return False


def reconcile_chains(instance: dg.DagsterInstance, warehouse: Warehouse) -> list[str]:
    """Close every row that says `running` though no run of its chain is, from the event log.

    Returns the ids of the root runs whose rows were closed.
    """
    fail_dead_runs(instance)
    store = ChainStore(warehouse, CHAIN)
    fixed = []
    for row in store.running():
        runs = _runs_of_chain(instance, row.run_id)
        # A run that was made and never begun must not keep the chain running.
        if any(run.status in UNFINISHED for run in runs):
            continue
        state, ended_at = _state_from_events(instance, runs)
        reason = "the run is not in Dagster's storage any more" if not runs else _reason(runs[-1])
        _close(store, row, state, ended_at or row.started_at, reason)
        fixed.append(row.run_id or "")
    refresh_tasks(instance, warehouse, datetime.now(UTC))
    return fixed


def _close(store: ChainStore, row: ChainRow, state: ChainState, ended_at: datetime, reason: str | None) -> None:
    store.change(row.run_id or "", lambda held: closed(held, state, ended_at, reason))


def _runs_of_chain(instance: dg.DagsterInstance, root: str | None) -> list[dg.DagsterRun]:
    if root is None:
        return []
    first = instance.get_run_by_id(root)
    later = instance.get_runs(filters=dg.RunsFilter(tags={ROOT_RUN_TAG: root}))
    return ([first] if first else []) + sorted(later, key=lambda run: _created(instance, run.run_id))


def _created(instance: dg.DagsterInstance, run_id: str) -> datetime:
    record = instance.get_run_record_by_id(run_id)
    return record.create_timestamp if record else datetime.min.replace(tzinfo=UTC)


def _state_from_events(instance: dg.DagsterInstance, runs: list[dg.DagsterRun]) -> tuple[ChainState, datetime | None]:
    state = ChainState()
    ended_at: datetime | None = None
    for run in runs:
        entries = instance.all_logs(run.run_id)
        state = fold(chain_events(entries), state)
        if entries:
            ended_at = datetime.fromtimestamp(entries[-1].timestamp, UTC)
    return state, ended_at


def _reason(run: dg.DagsterRun) -> str | None:
    if run.status == dg.DagsterRunStatus.CANCELED:
        return "cancelled"
    return "the process ended without a result (killed, or the machine stopped)"


_as_configured = dg.DagsterInstance.get_handlers


def _with_chain_log(instance: dg.DagsterInstance) -> Sequence[logging.Handler]:
    handlers = _as_configured(instance)
    # What an instance in memory has run is forgotten with it: there is nothing to go on from.
    if not instance.is_persistent or any(isinstance(each, ChainLogHandler) for each in handlers):
        return [*handlers, *_as_json()]
    return [*handlers, ChainLogHandler(logging.DEBUG), *_as_json()]


def _as_json() -> list[logging.Handler]:
    """Where the environment asks for it: a handler for the run's log; this program's own loggers follow."""
    log_as_json()
    return [json_handler()] if json_wanted() else []


def add_chain_log() -> None:
    """Add the chain log to every run of this process from now on; twice is the same as once.

    A handler can be named in dagster.yaml only, and a chain in a home without that line would push and leave no record:
    no row to show, nothing to resume. So it is added where a run's log is set up.
    """
    dg.DagsterInstance.get_handlers = _with_chain_log  # type: ignore[method-assign, assignment]
