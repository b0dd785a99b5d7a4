"""Removing what is old from the logs. Never what the work needs: the newest sync of each type, open failures, the
push's memory, counts and their history, the log of reports sent, and overrides that were used.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, select

from lms_assets.warehouse.bookkeeping.portal_tasks import forget_runs_before
from lms_assets.warehouse.bookkeeping.push_log import forget_pushes_before
from lms_assets.warehouse.schema.tables import alert_incidents, sync_failures, sync_logs, task_chain_logs
from lms_assets.warehouse.state.baselines import forget_deactivations_before
from lms_assets.warehouse.state.overrides import forget_unused_before
from lms_assets.warehouse.state.refresh_queue import forget_events_before
from lms_assets.warehouse.state.transcripts import clear_staging_before
from lms_assets.warehouse.state.write_lock import forget_dead_before

# The vendor's webhook log reaches back three months: an event that is still in it must stay known.
_EVENTS_KNOWN_FOR = timedelta(days=100)
# Longer than a year, so that what was sent for last year's tiers can still be shown.
_PUSHES_KEPT_FOR = timedelta(days=400)
# A chain older than a day is not resumed any more.
_STAGING_KEPT_FOR = timedelta(days=2)


def remove_old_logs(connection: Connection, *, before: datetime, now: datetime) -> dict[str, int]:
    """Remove log rows older than an instant (UTC); gives how many of each table."""
    s, f, c, i = sync_logs.c, sync_failures.c, task_chain_logs.c, alert_incidents.c
    newest = [
        *connection.execute(select(func.max(s.id)).group_by(s.sync_type)).scalars(),
        *connection.execute(select(func.max(s.id)).where(s.status == "completed").group_by(s.sync_type)).scalars(),
    ]
    last_chains = list(connection.execute(select(func.max(c.id)).group_by(c.chain_name)).scalars())
    statements = {
        "sync_logs": delete(sync_logs).where(s.started_at < before, s.id.not_in(newest)),
        "sync_failures": delete(sync_failures).where(f.resolved_at < before),
        "task_chain_logs": delete(task_chain_logs).where(
            c.started_at < before, c.status != "running", c.id.not_in(last_chains)
        ),
        "alert_incidents": delete(alert_incidents).where(i.closed_at < before),
    }
    removed = {name: connection.execute(statement).rowcount for name, statement in statements.items()}
    removed["task_run_history"] = forget_runs_before(connection, before)
    removed["transcript_staging"] = clear_staging_before(connection, now - _STAGING_KEPT_FOR)
    removed["webhook_events_seen"] = forget_events_before(connection, now - _EVENTS_KNOWN_FOR)
    removed["sync_deactivations"] = forget_deactivations_before(connection, min(before, now - timedelta(days=2)))
    removed["partner_push_log"] = forget_pushes_before(connection, now - _PUSHES_KEPT_FOR)
    removed["sync_state"] = forget_dead_before(connection, before)
    removed["sync_overrides"] = forget_unused_before(connection, before)
    return removed
