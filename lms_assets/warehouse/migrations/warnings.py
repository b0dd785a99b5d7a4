"""What a person should look at after an upgrade, beside the tables' shape."""

from __future__ import annotations

from sqlalchemy import Connection, select

from lms_assets.domain.wording import number_of
from lms_assets.warehouse.migrations.reconcile_indexes import Reconciled
from lms_assets.warehouse.schema.tables import scheduled_tasks


def other_schedulers(connection: Connection, done: Reconciled) -> None:
    """Warn of tasks that a portal's own scheduler would start beside Dagster's schedules."""
    c = scheduled_tasks.c
    enabled = list(connection.execute(select(c.task_type).where(c.enabled.is_(True)).order_by(c.task_type)).scalars())
    if enabled:
        done.warnings.append(
            f"scheduled_tasks holds {number_of(len(enabled), 'enabled row')} ({', '.join(enabled[:20])}): a "
            "scheduler of the portal's own would start them beside Dagster's schedules; "
            "lms-assets migration --switch-off-old ends that"
        )
