"""What the CRM last confirmed for each account (`pushed_partner_counts`), and what it refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from lms_assets.domain.counting.crm_drift import Pushed
from lms_assets.redaction import scrub
from lms_assets.warehouse.bookkeeping.odd_rows import readable_rows
from lms_assets.warehouse.bookkeeping.sync_log import SyncLogEntry, completed_recently
from lms_assets.warehouse.schema.tables import pushed_partner_counts
from lms_assets.warehouse.upsert.compare import chunks
from lms_assets.warehouse.upsert.write import insert_rows, update_rows

PUSH = "sync_to_impartner"
_LOOKED_AT = 100


def last_push(connection: Connection) -> SyncLogEntry | None:
    """The last push of all partners that went through; a dry run sent nothing and is none."""
    completed = completed_recently(connection, PUSH, _LOOKED_AT)
    return next((each for each in completed if not {"dry_run", "only"} & _set_details(each)), None)


def _set_details(entry: SyncLogEntry) -> set[str]:
    return {name for name, value in (entry.details or {}).items() if value}


def push_memory(connection: Connection) -> dict[int, Pushed]:
    """Everything remembered, by Impartner id."""
    return {
        row.impartner_id: Pushed(
            row.impartner_id,
            row.fields if isinstance(row.fields, dict) else {},
            row.confirmed_at,
            row.last_attempt_at,
            row.last_error,
            row.failed_attempts,
        )
        for row in readable_rows(connection, select(pushed_partner_counts), pushed_partner_counts.c.impartner_id)[0]
    }


def remember_attempts(connection: Connection, impartner_ids: Iterable[int], *, now: datetime) -> None:
    """Note that these accounts are about to be sent, before they are."""
    for part in chunks(impartner_ids):
        _make_rows(connection, part)
        c = pushed_partner_counts.c
        connection.execute(update(pushed_partner_counts).where(c.impartner_id.in_(part)).values(last_attempt_at=now))


def remember_confirmed(connection: Connection, confirmed: Mapping[int, Mapping[str, Any]], *, now: datetime) -> None:
    """Add to the memory what the CRM now holds, as read back; fields not given keep what was remembered."""
    for part in chunks(confirmed):
        _make_rows(connection, part)
        c = pushed_partner_counts.c
        query = select(c.impartner_id, c.fields).where(c.impartner_id.in_(part))
        before = {row.impartner_id: row.fields for row in readable_rows(connection, query, c.impartner_id)[0]}
        rows = [
            {
                "impartner_id": impartner_id,
                "fields": {**(before.get(impartner_id) or {}), **confirmed[impartner_id]},
                "confirmed_at": now,
                "last_error": None,
                "failed_attempts": 0,
            }
            for impartner_id in part
        ]
        update_rows(connection, pushed_partner_counts, rows, key="impartner_id", now=now)


def remember_refused(connection: Connection, refused: Mapping[int, str], *, now: datetime) -> None:
    """Note why accounts were refused; what was confirmed before stays remembered, so they are tried again."""
    for part in chunks(refused):
        _make_rows(connection, part)
        c = pushed_partner_counts.c
        for impartner_id in part:
            values = {
                "last_error": scrub(refused[impartner_id], 1000),
                "failed_attempts": c.failed_attempts + 1,
                "last_attempt_at": now,
            }
            connection.execute(update(pushed_partner_counts).where(c.impartner_id == impartner_id).values(values))


def _make_rows(connection: Connection, impartner_ids: list[int]) -> None:
    c = pushed_partner_counts.c
    known = set(connection.execute(select(c.impartner_id).where(c.impartner_id.in_(impartner_ids))).scalars())
    new = [{"impartner_id": each} for each in impartner_ids if each not in known]
    insert_rows(connection, pushed_partner_counts, new)
