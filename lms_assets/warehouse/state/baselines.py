"""What earlier runs left for judging the next: figures of the last good one, and how many rows each sync deactivated.

Figures stand in `sync_state`; deactivated and removed rows in `sync_deactivations`, for the limit over 24 hours.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select

from lms_assets.warehouse.schema.tables import lms_courses, lms_groups, partners, sync_deactivations
from lms_assets.warehouse.sync_state import get_state, put_state

_CERTIFICATIONS = "certifications_when_last_counted"
_GROUPS_LINKED = "groups_linked_when_last_counted"
_NPCU = "npcu_when_last_pushed"


def remember_base(connection: Connection, *, now: datetime) -> None:
    """Note how many certifications and linked groups this counting stands on."""
    certifications = select(func.count()).where(lms_courses.c.is_certification.is_(True))
    linked = (
        select(func.count())
        .select_from(lms_groups.join(partners, lms_groups.c.partner_id == partners.c.id))
        .where(lms_groups.c.is_active.is_(True), partners.c.is_active.is_(True))
    )
    put_state(connection, _CERTIFICATIONS, connection.execute(certifications).scalar_one(), now=now)
    put_state(connection, _GROUPS_LINKED, connection.execute(linked).scalar_one(), now=now)


def remember_pushed_total(connection: Connection, *, now: datetime) -> None:
    """Note the total NPCU of active partners that was pushed."""
    total = select(func.coalesce(func.sum(partners.c.total_npcu), 0)).where(partners.c.is_active.is_(True))
    put_state(connection, _NPCU, int(connection.execute(total).scalar_one()), now=now)


def certifications_before(connection: Connection) -> int | None:
    """Certifications at the last counting; None when nothing was counted yet."""
    return _figure(connection, _CERTIFICATIONS)


def groups_linked_before(connection: Connection) -> int | None:
    """Groups linked to an active partner at the last counting; None when nothing was counted yet."""
    return _figure(connection, _GROUPS_LINKED)


def npcu_pushed_before(connection: Connection) -> int | None:
    """Total NPCU at the last push; None when nothing was pushed yet."""
    return _figure(connection, _NPCU)


def _figure(connection: Connection, name: str) -> int | None:
    value = get_state(connection, name)
    return None if value is None else int(value)


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
