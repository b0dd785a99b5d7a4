"""Leads: which are stored, whose they are, and removing those that are gone (`leads`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection, func, select

from lms_assets.domain.records.leads import status_name_of
from lms_assets.warehouse.schema.tables import leads, partners
from lms_assets.warehouse.upsert.upsert import SyncCounts, delete_rows, update_existing


def stored_lead_ids(connection: Connection) -> dict[int, int]:
    """Impartner id of every stored lead to its row's id."""
    return {row[0]: row[1] for row in connection.execute(select(leads.c.impartner_id, leads.c.id))}


def link_leads(connection: Connection, *, now: datetime) -> SyncCounts:
    """Point every lead to the row of its partner account, to none where the account is no partner.

    Of several rows of one account the active one counts, then the older.
    """
    c = partners.c
    query = select(c.impartner_id, c.id).where(c.impartner_id.is_not(None)).order_by(c.is_active, c.id.desc())
    row_of = {row.impartner_id: row.id for row in connection.execute(query)}
    moved = []
    for lead_id, account, partner_id in connection.execute(
        select(leads.c.id, leads.c.impartner_partner_id, leads.c.partner_id)
    ).all():
        wanted = row_of.get(account) if account is not None else None
        if wanted != partner_id:
            moved.append({"id": lead_id, "partner_id": wanted})
    return update_existing(connection, leads, moved, key=("id",), now=now)


def rename_statuses(connection: Connection, names: Mapping[int, str], *, now: datetime) -> SyncCounts:
    """Give every stored lead its status's name as it is now; a status that is not among `names` keeps its name."""
    query = select(leads.c.id, leads.c.status_id, leads.c.status_name).where(leads.c.status_id.in_(list(names)))
    renamed = [
        {"id": row.id, "status_name": status_name_of(names[row.status_id])}
        for row in connection.execute(query).all()
        if row.status_name != status_name_of(names[row.status_id])
    ]
    return update_existing(connection, leads, renamed, key=("id",), now=now)


def remove_leads(connection: Connection, impartner_ids: Iterable[int]) -> int:
    """Delete the rows of these leads, gone or over in the CRM; gives how many there were."""
    rows = stored_lead_ids(connection)
    return delete_rows(connection, leads, [rows[each] for each in impartner_ids if each in rows])


def leads_of_unknown_partners(connection: Connection) -> int:
    """How many leads name an account that is no partner of ours."""
    query = select(func.count()).where(leads.c.impartner_partner_id.is_not(None), leads.c.partner_id.is_(None))
    return int(connection.execute(query).scalar_one())
