"""Rows that cannot be read, because another program or a person wrote them: left out, and named for a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column, Connection, Row, Select, func, select

from lms_assets.warehouse.schema.tables import (
    alert_incidents,
    email_log,
    pushed_partner_counts,
    scheduled_tasks,
    sync_logs,
    sync_state,
    task_chain_logs,
    task_run_history,
)

UNREADABLE = (ValueError, TypeError, LookupError, AttributeError)
"""What comes of a value that is no date, number or JSON, or not of the expected shape."""

_NEWEST = 200


def readable_rows(connection: Connection, query: Select[Any], key: Column[Any]) -> tuple[list[Row[Any]], list[Any]]:
    """The rows of a query, and the keys of those that cannot be read.

    Args:
        key: names a row of the query.
    """
    try:
        return list(connection.execute(query).all()), []
    except UNREADABLE:
        pass
    rows: list[Row[Any]] = []
    odd: list[Any] = []
    for value in connection.execute(query.with_only_columns(key)).scalars().all():
        try:
            rows += connection.execute(query.where(key == value)).all()
        except UNREADABLE:
            odd.append(value)
    return rows, odd


def odd_rows(connection: Connection) -> tuple[str, ...]:
    """Table and key of every row that is left out where runs, pushes and alerts are looked after."""
    return tuple(f"{key.table.name} {value}" for key, value in _found(connection))


def _found(connection: Connection) -> Iterator[tuple[Column[Any], Any]]:
    newest_logs = select(func.max(sync_logs.c.id)).group_by(sync_logs.c.sync_type)
    queries = (
        (select(sync_state), sync_state.c.name),
        (select(scheduled_tasks), scheduled_tasks.c.task_type),
        (select(pushed_partner_counts), pushed_partner_counts.c.impartner_id),
        (select(sync_logs).where(sync_logs.c.id.in_(newest_logs)), sync_logs.c.id),
        (select(task_run_history).where(task_run_history.c.status == "running"), task_run_history.c.id),
    )
    for query, key in queries:
        for value in readable_rows(connection, query, key)[1]:
            yield key, value
    yield from _of_shape(connection, alert_incidents.c.id, alert_incidents.c.details, dict)
    yield from _of_shape(connection, task_chain_logs.c.id, task_chain_logs.c.steps_completed, list)
    c = email_log.c
    waiting = c.status == "pending", c.handed_over_at.is_not(None), c.message_key.is_not(None)
    for row in connection.execute(select(c.id).where(*waiting, func.coalesce(c.period, "") == "")):
        yield c.id, row.id
    outbox = readable_rows(connection, select(sync_state).where(sync_state.c.name == "alert_outbox"), sync_state.c.name)
    for state in outbox[0]:
        if not isinstance(state.value, list) or not all(isinstance(each, dict) for each in state.value):
            yield sync_state.c.name, state.name


def _of_shape(
    connection: Connection, key: Column[Any], document: Column[Any], shape: type
) -> Iterator[tuple[Column[Any], Any]]:
    """The newest rows that cannot be read, or whose document is of another shape."""
    newest = select(key.table).where(key.in_(select(key).order_by(key.desc()).limit(_NEWEST).subquery().select()))
    rows, odd = readable_rows(connection, newest, key)
    for value in odd:
        yield key, value
    for row in rows:
        found = row._mapping[document.name]
        if found is not None and not isinstance(found, shape):
            yield key, row._mapping[key.name]
