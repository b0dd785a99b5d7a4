"""How many rows each sync deactivated or removed and when (`sync_deactivations`), for the limit over 24 hours."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select

from lms_assets.warehouse.schema.tables import sync_deactivations

_SPAN = timedelta(hours=24)


def note_deactivations(
    connection: Connection, kind: str, number: int, *, scope: str = "", allowed: bool, run_id: str, now: datetime
) -> None:
    """Note what a sync took away, in the transaction that does it.

    Args:
        scope: a part of the kind that is judged by itself, such as one group.
        allowed: a person allowed it, so it does not count against the next ones.
    """
    c = sync_deactivations.c
    # The transaction may be run again after a commit whose answer was lost.
    connection.execute(
        delete(sync_deactivations).where(c.kind == kind, c.scope == scope, c.run_id == run_id, c.at == now)
    )
    values = {"kind": kind, "scope": scope, "number": number, "allowed": allowed, "run_id": run_id, "at": now}
    connection.execute(insert(sync_deactivations).values(values))


def deactivated_lately(connection: Connection, kind: str, now: datetime) -> dict[str, int]:
    """How many rows left in the last 24 hours without an override, by scope."""
    c = sync_deactivations.c
    query = select(c.scope, func.sum(c.number)).where(c.kind == kind, c.allowed.is_(False), c.at > now - _SPAN)
    return {scope: int(number) for scope, number in connection.execute(query.group_by(c.scope))}


def forget_deactivations_before(connection: Connection, before: datetime) -> int:
    """Remove what is older than an instant; the limit looks back for a day only."""
    return connection.execute(delete(sync_deactivations).where(sync_deactivations.c.at < before)).rowcount
