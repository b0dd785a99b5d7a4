"""Figures of the last good run, against which the next one is judged (`sync_state`)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, select

from lms_assets.warehouse.schema.tables import lms_courses, lms_groups, partners
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
