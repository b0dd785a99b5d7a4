"""Questions about a whole table, for checks and limits: how many, which ids, keys twice, references to nothing."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table, func, select

from lms_assets.warehouse.schema.tables import metadata


def row_count(connection: Connection, table: Table | str, *, active_only: bool = False) -> int:
    """Number of rows, of active ones only when asked for."""
    found = _table(table)
    query = select(func.count()).select_from(found)
    if active_only:
        query = query.where(found.c.is_active.is_(True))
    return int(connection.execute(query).scalar_one())


def active_ids(connection: Connection, table: Table | str) -> set[Any]:
    """Ids of the rows with `is_active`."""
    found = _table(table)
    return set(connection.execute(select(found.c.id).where(found.c.is_active.is_(True))).scalars())


def duplicate_values(connection: Connection, table: Table | str, column: str, *, limit: int = 20) -> tuple[Any, ...]:
    """Values that occur in more than one row, at most `limit`; NULL and inactive rows are left out."""
    found = _table(table)
    value = found.c[column]
    query = select(value).where(value.is_not(None))
    if "is_active" in found.c:
        query = query.where(found.c.is_active.is_(True))
    query = query.group_by(value).having(func.count() > 1).order_by(value).limit(limit)
    return tuple(connection.execute(query).scalars())


def orphans(
    connection: Connection, table: Table | str, column: str, target: Table | str, *, limit: int = 20
) -> tuple[int, tuple[Any, ...]]:
    """How many different values of `column` are no key of `target`, and a sample of them."""
    found, other = _table(table), _table(target)
    (key,) = other.primary_key.columns
    value = found.c[column]
    missing = select(value).where(value.is_not(None), value.not_in(select(key))).distinct()
    count = connection.execute(select(func.count()).select_from(missing.subquery())).scalar_one()
    return int(count), tuple(connection.execute(missing.order_by(value).limit(limit)).scalars())


def _table(table: Table | str) -> Table:
    return metadata.tables[table] if isinstance(table, str) else table
