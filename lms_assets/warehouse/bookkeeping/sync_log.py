"""The rows of `sync_logs`: one for each sync, true also when its process was killed.

The row begins as `running` in a transaction of its own, becomes `completed` inside the transaction that writes the
data, so that the two agree, and `failed` after that was rolled back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, case, func, insert, select, update

from lms_assets.redaction import scrub
from lms_assets.warehouse.bookkeeping.odd_rows import readable_rows
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.schema.tables import sync_logs
from lms_assets.warehouse.upsert.counts import SyncCounts
from lms_assets.warehouse.upsert.fitting import Fitter

_ORPHANED = "did not finish: its process ended without a result"


@dataclass(frozen=True, slots=True)
class SyncLogEntry:
    """One row of sync_logs."""

    id: int
    sync_type: str
    status: str
    started_at: datetime
    completed_at: datetime | None
    records_processed: int
    records_created: int
    records_updated: int
    records_deleted: int
    records_skipped: int
    records_failed: int
    api_calls_made: int
    error_message: str | None
    details: Any

    def fact(self, name: str) -> str | None:
        """The text that a sync left under this name (`SyncStopped.facts` too); None when it left none."""
        details = self.details if isinstance(self.details, Mapping) else {}
        found = details.get(name)
        return found if isinstance(found, str) else None


def start(warehouse: Warehouse, sync_type: str, *, now: datetime) -> int:
    """Write a `running` row and give its id; rows of this type still running are closed as failed.

    Whoever starts a sync must be sure that no other of its type is under way: the row of one that is would be closed
    too, and be corrected when it completes.
    """

    def work(connection: Connection) -> int:
        orphans = sync_logs.c.sync_type == sync_type, sync_logs.c.status == "running"
        connection.execute(
            update(sync_logs).where(*orphans).values(status="failed", completed_at=now, error_message=_ORPHANED)
        )
        result = connection.execute(insert(sync_logs).values(sync_type=sync_type, status="running", started_at=now))
        return int((result.inserted_primary_key or (0,))[0])

    return warehouse.in_transaction(work)


def complete(
    connection: Connection,
    log_id: int,
    *,
    now: datetime,
    counts: SyncCounts,
    api_calls: int = 0,
    skipped: int = 0,
    failed: int = 0,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Close the row as `completed`, in the transaction that writes the data.

    Args:
        now: when the sync ended (UTC).
        counts: what became of the rows that were written.
        skipped: records left out by a rule.
        failed: records that could not be read; the rejected rows of `counts` are added.
    """
    document = Fitter(sync_logs, ("details",), ()).fit({"details": dict(details) if details else None})
    values = {
        "status": "completed",
        "completed_at": now,
        "records_processed": counts.processed + skipped + failed,
        "records_created": counts.created,
        "records_updated": counts.updated + counts.reactivated,
        "records_deleted": counts.deactivated + counts.deleted,
        "records_skipped": skipped,
        "records_failed": failed + len(counts.rejected_rows),
        "api_calls_made": api_calls,
        "error_message": None,
        **document.values,
    }
    connection.execute(update(sync_logs).where(sync_logs.c.id == log_id).values(values))


def fail(
    warehouse: Warehouse,
    log_id: int,
    *,
    now: datetime,
    error: str,
    api_calls: int = 0,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Close the row as `failed`, in a transaction of its own; addresses and credentials are taken out of `error`.

    Args:
        details: facts about the failure for those who read the log; plain JSON.
    """
    values = {"status": "failed", "completed_at": now, "error_message": scrub(error), "api_calls_made": api_calls}
    values["details"] = dict(details) if details else None
    warehouse.in_transaction(
        lambda connection: connection.execute(update(sync_logs).where(sync_logs.c.id == log_id).values(values))
    )


def last_completed(connection: Connection) -> dict[str, SyncLogEntry]:
    """The newest completed sync of each type, by type."""
    return _newest(connection, only_completed=True)


def latest(connection: Connection) -> dict[str, SyncLogEntry]:
    """The newest sync of each type whatever its status, by type."""
    return _newest(connection, only_completed=False)


def completed_recently(connection: Connection, sync_type: str, limit: int) -> tuple[SyncLogEntry, ...]:
    """The newest completed syncs of one type, newest first."""
    c = sync_logs.c
    query = select(sync_logs).where(c.sync_type == sync_type, c.status == "completed").order_by(c.id.desc())
    return tuple(_entry(row) for row in readable_rows(connection, query.limit(limit), c.id)[0])


def failures_since_completed(connection: Connection, sync_type: str) -> tuple[SyncLogEntry, ...]:
    """Every sync of this type that failed after the last one that completed, oldest first."""
    c = sync_logs.c
    completed = select(func.coalesce(func.max(c.id), 0)).where(c.sync_type == sync_type, c.status == "completed")
    failed = c.sync_type == sync_type, c.status == "failed", c.id > completed.scalar_subquery()
    query = select(sync_logs).where(*failed).order_by(c.id)
    return tuple(_entry(row) for row in readable_rows(connection, query, c.id)[0])


def failures_in_a_row(connection: Connection) -> dict[str, int]:
    """How many syncs of each type failed after the last one that completed, by type; 0 is there too."""
    c = sync_logs.c
    newest = select(c.sync_type, func.max(c.id).label("id")).where(c.status == "completed").group_by(c.sync_type)
    good = newest.subquery()
    failed = (c.status == "failed") & (c.id > func.coalesce(good.c.id, 0))
    query = (
        select(c.sync_type, func.count(case((failed, c.id))))
        .select_from(sync_logs.outerjoin(good, c.sync_type == good.c.sync_type))
        .group_by(c.sync_type)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def _newest(connection: Connection, *, only_completed: bool) -> dict[str, SyncLogEntry]:
    newest = select(func.max(sync_logs.c.id)).group_by(sync_logs.c.sync_type)
    if only_completed:
        newest = newest.where(sync_logs.c.status == "completed")
    rows, _ = readable_rows(connection, select(sync_logs).where(sync_logs.c.id.in_(newest)), sync_logs.c.id)
    return {row.sync_type: _entry(row) for row in rows}


def _entry(row: Row[Any]) -> SyncLogEntry:
    values = row._mapping
    return SyncLogEntry(**{name: values[name] for name in SyncLogEntry.__dataclass_fields__})
