"""Tasks of `scheduled_tasks` that the portal's old scheduler starts: which are on, switching them off, and back on.

Rows that this program adds are off from the start, so whatever is on belongs to the old scheduler.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from lms_assets.warehouse.schema.tables import scheduled_tasks
from lms_assets.warehouse.sync_state import get_state, put_state, remove_state

_SWITCHED_OFF = "old_scheduler_switched_off"


@dataclass(frozen=True, slots=True)
class EnabledTask:
    """A task that is on; `last_run_at` is UTC."""

    task_type: str
    task_name: str | None
    cron_expression: str | None
    last_run_at: datetime | None


def enabled_tasks(connection: Connection) -> tuple[EnabledTask, ...]:
    """Every task that is on, by its type."""
    c = scheduled_tasks.c
    query = select(c.task_type, c.task_name, c.cron_expression, c.last_run_at).where(c.enabled.is_(True))
    return tuple(EnabledTask(*row) for row in connection.execute(query.order_by(c.task_type)))


def switched_off(connection: Connection) -> tuple[str, ...]:
    """Types of the tasks that `switch_off` has switched off and nobody has switched on again."""
    return tuple(get_state(connection, _SWITCHED_OFF) or ())


def switch_off(connection: Connection, task_types: Iterable[str], *, now: datetime) -> tuple[str, ...]:
    """Switch these off and remember them; gives those that were on."""
    wanted = set(task_types)
    found = [each.task_type for each in enabled_tasks(connection) if each.task_type in wanted]
    before = get_state(connection, _SWITCHED_OFF, lock=True) or []
    _set(connection, found, enabled=False)
    put_state(connection, _SWITCHED_OFF, sorted({*before, *found}), now=now)
    return tuple(found)


def switch_on_again(connection: Connection) -> tuple[str, ...]:
    """Switch on again what `switch_off` switched off, and forget it; gives those tasks."""
    remembered = tuple(get_state(connection, _SWITCHED_OFF, lock=True) or ())
    _set(connection, remembered, enabled=True)
    remove_state(connection, _SWITCHED_OFF)
    return remembered


def chain_is_configured(connection: Connection, chain: str, task_types: Iterable[str]) -> bool:
    """Whether every one of these tasks has its row and its place in the chain."""
    c = scheduled_tasks.c
    query = select(c.task_type).where(c.task_chain == chain, c.chain_order.is_not(None))
    return set(task_types) <= set(connection.execute(query).scalars())


def _set(connection: Connection, task_types: Iterable[str], *, enabled: bool) -> None:
    statement = update(scheduled_tasks).where(scheduled_tasks.c.task_type.in_(list(task_types)))
    connection.execute(statement.values(enabled=enabled))
