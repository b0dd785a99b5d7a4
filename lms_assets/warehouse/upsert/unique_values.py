"""Moving values of unique columns between rows inside one transaction.

Two partners that swap names, or an e-mail that moves to another contact, would break the unique index half-way. So
rows that hold a wanted value step aside first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Connection, String, Table, UniqueConstraint, bindparam, select

from lms_assets.warehouse.upsert.compare import Change, SyncPlan, chunks
from lms_assets.warehouse.upsert.fitting import text_limit

Key = tuple[Any, ...]


def unique_columns(table: Table, key: Sequence[str], columns: Sequence[str]) -> list[Column[Any]]:
    """Text columns among `columns`, not part of the key, whose values must be unique by themselves."""
    single = {tuple(c.columns.keys()) for c in table.constraints if isinstance(c, UniqueConstraint)}
    single |= {tuple(i.columns.keys()) for i in table.indexes if i.unique}
    return [
        table.c[name]
        for name in columns
        if (name,) in single and name not in key and isinstance(table.c[name].type, String)
    ]


def make_way(connection: Connection, table: Table, plan: SyncPlan) -> dict[Key, Change]:
    """Free the unique values that the plan's rows want; gives the changes whose row holds a placeholder now.

    A row that the plan moves to another value gets a placeholder until it is written. An inactive row outside the
    plan keeps its value with a mark at its end. An active one keeps it unmarked, and the new row will be refused.
    """
    key = plan.key
    parked: dict[Key, Change] = {}
    for column in unique_columns(table, key, plan.columns):
        name = column.name
        moving = {c.key: c for c in plan.changes if plan.given(c.values, name) != plan.stored(c, name)}
        wanted = {plan.given(row, name) for row in (*(c.values for c in moving.values()), *plan.inserts)}
        wanted.discard(None)
        aside: list[tuple[Key, str]] = []
        for of_row, value, is_active in _holders(connection, table, column, wanted, key):
            if of_row in moving:
                aside.append((of_row, f"__moving__{_joined(of_row)}"))
                parked[of_row] = moving[of_row]
            elif of_row not in plan.seen and not is_active:
                aside.append((of_row, marked(value, f" (inactive #{_joined(of_row)})", column)))
        _set(connection, table, column, aside, key)
    return parked


def marked(value: str, mark: str, column: Column[Any]) -> str:
    """The value with a mark at its end, cut so that the column takes both."""
    return value[: text_limit(column) - len(mark)] + mark


def _joined(of_row: Key) -> str:
    return "_".join(map(str, of_row))


def _holders(
    connection: Connection, table: Table, column: Column[Any], wanted: set[Any], key: Sequence[str]
) -> list[tuple[Key, str, bool]]:
    active = [table.c.is_active] if "is_active" in table.c else []
    found: list[tuple[Key, str, bool]] = []
    for part in chunks(wanted):
        query = select(*(table.c[name] for name in key), column, *active).where(column.in_(part))
        for row in connection.execute(query):
            values = tuple(row)
            is_active = bool(values[-1]) if active else True
            found.append((values[: len(key)], values[len(key)], is_active))
    return found


def _set(
    connection: Connection,
    table: Table,
    column: Column[Any],
    values: list[tuple[Key, str]],
    key: Sequence[str],
) -> None:
    if not values:
        return
    statement = table.update().values({column.name: bindparam("new_value")})
    for name in key:
        statement = statement.where(table.c[name] == bindparam(f"key_{name}"))
    connection.execute(
        statement,
        [{"new_value": value, **{f"key_{n}": k for n, k in zip(key, of_row, strict=True)}} for of_row, value in values],
    )
