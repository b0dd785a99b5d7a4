"""The rows of `task_chain_logs`: one a chain, found by its root run, so that a resumed chain continues its row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, Select, insert, select, update
from sqlalchemy.exc import IntegrityError

from lms_assets.domain.operations.chain_state import ChainState, StepRecord
from lms_assets.redaction import scrub
from lms_assets.warehouse.bookkeeping.odd_rows import readable_rows
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.schema.tables import task_chain_logs
from lms_assets.warehouse.upsert.write import savepoint

_LOOKED_AT = 20
"""Of so many newest rows the first that can be read is the latest chain."""

ChainStatus = Literal["running", "completed", "failed", "partial"]


@dataclass(frozen=True, slots=True)
class ChainRow:
    """One row of task_chain_logs; `steps` is `steps_completed`, one mapping a step in the order they began."""

    id: int
    chain_name: str
    run_id: str | None
    status: ChainStatus
    started_at: datetime
    completed_at: datetime | None = None
    current_step: str | None = None
    steps: tuple[Mapping[str, Any], ...] = ()
    error_message: str | None = None
    total_duration_seconds: int | None = None
    as_of: datetime | None = None

    @property
    def state(self) -> ChainState:
        """The steps that the row holds."""
        records = [StepRecord.from_json(step) for step in self.steps]
        return ChainState({record.step: record for record in records})


class ChainStore:
    """The rows of one chain; each method is a transaction of its own, tried again after a deadlock."""

    def __init__(self, warehouse: Warehouse, chain_name: str) -> None:
        self._warehouse, self._chain_name = warehouse, chain_name

    def open(self, run_id: str, *, now: datetime, as_of: datetime | None = None) -> ChainRow:
        """The row of this root run; made as `running` when there is none. Safe to call from two processes at once.

        `as_of` (default `now`) is set when the row is made and never changed, so that a resumed chain counts at the
        same instant.
        """

        def work(connection: Connection) -> ChainRow:
            row = chain_of_run(connection, self._chain_name, run_id)
            if row is None:
                values = {
                    "chain_name": self._chain_name,
                    "run_id": run_id,
                    "status": "running",
                    "started_at": now,
                    "as_of": as_of or now,
                    "steps_completed": [],
                }
                try:
                    with savepoint(connection):
                        connection.execute(insert(task_chain_logs).values(values))
                except IntegrityError:
                    pass  # Another process made it a moment ago; it is read below.
                row = chain_of_run(connection, self._chain_name, run_id)
            if row is None:
                raise LookupError(f"the chain of run {run_id} was removed while it was opened")
            return row

        return self._warehouse.in_transaction(work)

    def change(self, run_id: str, work: Callable[[ChainRow], ChainRow]) -> ChainRow | None:
        """Read the row under a lock, let `work` change it, write it; None when this run has no row.

        Two processes that report at the same time thus never lose each other's step. `work` may be called again.
        """

        def locked(connection: Connection) -> ChainRow | None:
            row = chain_of_run(connection, self._chain_name, run_id, lock=True)
            if row is None:
                return None
            changed = work(row)
            if changed != row:
                statement = update(task_chain_logs).where(task_chain_logs.c.id == row.id)
                connection.execute(statement.values(_values(changed)))
            return changed

        return self._warehouse.in_transaction(locked)

    def running(self) -> tuple[ChainRow, ...]:
        """Rows that say `running`, oldest first; after a crash nobody may be behind them."""
        with self._warehouse.read() as connection:
            return running_chains(connection, self._chain_name)

    def latest(self) -> ChainRow | None:
        """The row begun last."""
        with self._warehouse.read() as connection:
            return latest_chain(connection, self._chain_name)


def chain_of_run(connection: Connection, chain_name: str, run_id: str, *, lock: bool = False) -> ChainRow | None:
    """The row of a root run, locked until the transaction ends when asked for."""
    query = _of(chain_name).where(task_chain_logs.c.run_id == run_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else _chain_row(row)


def latest_chain(connection: Connection, chain_name: str) -> ChainRow | None:
    """The row of a chain begun last."""
    c = task_chain_logs.c
    query = _of(chain_name).order_by(c.started_at.desc(), c.id.desc()).limit(_LOOKED_AT)
    rows, _ = readable_rows(connection, query, c.id)
    return _chain_row(rows[0]) if rows else None


def last_completed_chain(connection: Connection, chain_name: str) -> ChainRow | None:
    """The row of the chain that completed last; one that ended partial did not."""
    c = task_chain_logs.c
    query = _of(chain_name).where(c.status == "completed", c.completed_at.is_not(None))
    rows, _ = readable_rows(connection, query.order_by(c.completed_at.desc()).limit(_LOOKED_AT), c.id)
    return _chain_row(rows[0]) if rows else None


def running_chains(connection: Connection, chain_name: str) -> tuple[ChainRow, ...]:
    """Rows of a chain that say `running`, oldest first."""
    query = _of(chain_name).where(task_chain_logs.c.status == "running").order_by(task_chain_logs.c.id)
    rows, _ = readable_rows(connection, query, task_chain_logs.c.id)
    return tuple(_chain_row(row) for row in rows)


def _of(chain_name: str) -> Select[Any]:
    return select(task_chain_logs).where(task_chain_logs.c.chain_name == chain_name)


def _chain_row(row: Row[Any]) -> ChainRow:
    steps = row.steps_completed if isinstance(row.steps_completed, list) else []
    return ChainRow(
        id=row.id,
        chain_name=row.chain_name,
        run_id=row.run_id,
        status=row.status,
        started_at=row.started_at,
        completed_at=row.completed_at,
        current_step=row.current_step,
        # A portal's own rows may hold bare names.
        steps=tuple(step if isinstance(step, dict) else {"step": str(step)} for step in steps),
        error_message=row.error_message,
        total_duration_seconds=row.total_duration_seconds,
        as_of=row.as_of,
    )


def _values(row: ChainRow) -> dict[str, Any]:
    return {
        "status": row.status,
        "completed_at": row.completed_at,
        "current_step": row.current_step[:50] if row.current_step else None,
        "steps_completed": [dict(step) for step in row.steps],
        "error_message": scrub(row.error_message) if row.error_message else None,
        "total_duration_seconds": row.total_duration_seconds,
    }
