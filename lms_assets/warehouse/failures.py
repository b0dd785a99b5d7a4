"""The rows of `sync_failures`: each record that cannot be used, once, until it comes right."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, insert, select, update

from lms_assets.warehouse.scrub import scrub
from lms_assets.warehouse.sync_counts import Misfit
from lms_assets.warehouse.sync_plan import chunks
from lms_assets.warehouse.tables import sync_failures

__all__ = ["Failure", "FailureCounts", "failure_of_misfit", "open_failures", "record_failures"]


@dataclass(frozen=True, slots=True)
class Failure:
    """A record that cannot be used. `reason` and `details` hold no personal data."""

    entity_type: str
    entity_id: str
    reason: str
    details: str | None = None
    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class FailureCounts:
    """How many failures are new, known from before, and resolved by this sync."""

    new: int = 0
    known: int = 0
    resolved: int = 0


def failure_of_misfit(entity_type: str, misfit: Misfit) -> Failure:
    """Turn a row that the database refused into a failure."""
    return Failure(entity_type, "/".join(str(part) for part in misfit.key), misfit.reason)


def record_failures(
    connection: Connection,
    sync_type: str,
    failures: Iterable[Failure],
    *,
    now: datetime,
    complete: bool,
    right: Container[str] = frozenset(),
) -> FailureCounts:
    """Bring the open failures of one sync up to date.

    A record that fails as before keeps its row untouched, `occurred_at` included; another reason refreshes the row.

    Args:
        failures: everything that failed this time.
        complete: the source was read completely, so that whatever did not fail has come right or is gone.
        right: otherwise, ids of the records that came through this time.
    """
    failing = {(f.entity_type, f.entity_id[:255]): f for f in failures}
    known: set[tuple[str, str]] = set()
    resolved: list[int] = []
    for row in connection.execute(_open(sync_type)):
        of_row = (row.entity_type, row.entity_id or "")
        failure = failing.get(of_row)
        if failure is not None and of_row not in known:
            known.add(of_row)
            if row.failure_reason != scrub(failure.reason, 500):
                connection.execute(
                    update(sync_failures)
                    .where(sync_failures.c.id == row.id)
                    .values(**_values(failure), occurred_at=now)
                )
        elif failure is not None or complete or row.entity_id in right:
            resolved.append(row.id)
    for part in chunks(resolved):
        done = {"resolved_at": now, "resolution_action": "came right, or is gone at the source"}
        connection.execute(update(sync_failures).where(sync_failures.c.id.in_(part)).values(done))
    new = [failure for key, failure in failing.items() if key not in known]
    rows = [{"sync_type": sync_type, "occurred_at": now, **_values(failure)} for failure in new]
    if rows:
        connection.execute(insert(sync_failures), rows)
    return FailureCounts(new=len(new), known=len(known), resolved=len(resolved))


def open_failures(connection: Connection, sync_type: str, limit: int | None = None) -> tuple[Failure, ...]:
    """Failures of one sync that are not resolved, oldest first."""
    rows = connection.execute(_open(sync_type).limit(limit))
    return tuple(
        Failure(r.entity_type, r.entity_id or "", r.failure_reason or "", r.error_details, r.http_status) for r in rows
    )


def _open(sync_type: str) -> Select[Any]:
    c = sync_failures.c
    return select(sync_failures).where(c.sync_type == sync_type, c.resolved_at.is_(None)).order_by(c.id)


def _values(failure: Failure) -> dict[str, object]:
    return {
        "entity_type": failure.entity_type,
        "entity_id": failure.entity_id[:255],
        "failure_reason": scrub(failure.reason, 500),
        "error_details": scrub(failure.details) if failure.details else None,
        "http_status": failure.http_status,
    }
