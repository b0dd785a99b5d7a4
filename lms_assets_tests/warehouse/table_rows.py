"""What a table holds, read back; and partners, whose names only one row may have."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select

from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.schema import tables as t
from lms_assets.warehouse.upsert.upsert import SyncCounts, upsert


def stored(warehouse: Warehouse, table: Any, *columns: str) -> list[tuple[Any, ...]]:
    with warehouse.read() as connection:
        query = select(*(table.c[name] for name in columns)).order_by(table.c[columns[0]])
        return [tuple(row) for row in connection.execute(query)]


def partner_rows(*names: str, ids: list[int | None] | None = None) -> list[dict[str, Any]]:
    return [
        {"id": row_id, "account_name": name, "is_active": True}
        for row_id, name in zip(ids or [None] * len(names), names, strict=True)
    ]


def sync_partners(warehouse: Warehouse, rows: list[dict[str, Any]], now: datetime, **options: Any) -> SyncCounts:
    with warehouse.transaction() as connection:
        return upsert(connection, t.partners, rows, key=("id",), now=now, **options)
