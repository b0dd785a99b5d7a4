"""Tables about the work itself: logs, failures, tasks, chains, reports, incidents, state.

Columns and tables marked "ours" are not in the portal's own schema; all others are, with the same meaning.
"""

from __future__ import annotations

from sqlalchemy import Column, Enum, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from lms_assets.warehouse.schema.base import (
    MYSQL_OPTIONS,
    auto_id,
    email_address,
    exact_text,
    flag,
    instant,
    json_value,
    lms_id,
    metadata,
    number,
)

partner_managers = Table(
    "partner_managers",
    metadata,
    auto_id(),
    Column("owner_name", String(255), nullable=False, unique=True),
    email_address("email"),
    flag("is_active_pam", default=True),
    Column("region", String(100)),
    flag("email_reports_enabled", default=True),
    Column("report_frequency", String(20), nullable=False, server_default="weekly"),
    instant("last_report_sent"),
    **MYSQL_OPTIONS,
)

executive_report_recipients = Table(
    "executive_report_recipients",
    metadata,
    auto_id(),
    email_address("email", nullable=False, unique=True),
    Column("name", String(255)),
    flag("is_active", default=True),
    **MYSQL_OPTIONS,
)

email_log = Table(
    "email_log",
    metadata,
    auto_id(),
    email_address("recipient_email", nullable=False),
    Column("recipient_name", String(255)),
    Column("subject", String(500)),
    Column("email_type", String(50)),
    Column("status", String(20), nullable=False, server_default="pending"),
    Column("pam_id", Integer),
    Column("error_message", Text),
    instant("sent_at"),
    # Ours: when the content went to the mail server; while the row is pending, its answer is not known.
    instant("handed_over_at"),
    instant("created_at", index=True),
    # Ours: one message for each type, period and recipient, however often the job runs.
    Column("message_key", exact_text(200)),
    Column("period", String(10)),  # Ours: the day, week or month that the report is about.
    Index("uq_email_log_message_key", "message_key", unique=True),
    **MYSQL_OPTIONS,
)

sync_logs = Table(
    "sync_logs",
    metadata,
    auto_id(),
    Column("sync_type", String(50), nullable=False),
    Column("status", String(20), nullable=False),
    instant("started_at", nullable=False, index=True),
    instant("completed_at"),
    number("records_processed"),
    number("records_created"),
    number("records_updated"),
    number("records_deleted"),
    number("records_skipped"),
    number("records_failed"),
    number("api_calls_made"),
    Column("error_message", Text),
    json_value("details"),
    Index("ix_sync_logs_sync_type_status", "sync_type", "status", "completed_at"),
    **MYSQL_OPTIONS,
)

sync_failures = Table(
    "sync_failures",
    metadata,
    auto_id(),
    Column("sync_type", String(50), nullable=False),
    Column("entity_type", String(50), nullable=False),
    Column("entity_id", exact_text(255)),
    Column("entity_name", String(255)),
    Column("failure_reason", String(500)),
    Column("http_status", Integer),
    Column("error_details", Text),
    instant("occurred_at", nullable=False),
    instant("resolved_at"),
    Column("resolution_action", String(255)),
    Index("ix_sync_failures_open", "sync_type", "entity_type", "resolved_at"),
    **MYSQL_OPTIONS,
)

scheduled_tasks = Table(
    "scheduled_tasks",
    metadata,
    auto_id(),
    Column("task_type", String(50), nullable=False, unique=True),
    Column("task_name", String(255)),
    flag("enabled", default=True),
    Column("cron_expression", String(100)),
    Column("interval_minutes", Integer),
    instant("last_run_at"),
    instant("next_run_at"),
    Column("last_status", String(20)),
    Column("last_error", Text),
    Column("last_duration_seconds", Integer),
    number("run_count"),
    number("fail_count"),
    json_value("config"),
    Column("schedule_day", String(20)),
    Column("schedule_time", String(20)),
    Column("task_chain", String(50)),
    Column("chain_order", Integer),
    **MYSQL_OPTIONS,
)

task_run_history = Table(
    "task_run_history",
    metadata,
    auto_id(),
    Column("task_id", ForeignKey("scheduled_tasks.id", ondelete="CASCADE"), index=True),
    Column("task_type", String(50)),
    instant("started_at", index=True),
    instant("completed_at"),
    Column("status", String(20)),
    Column("duration_seconds", Integer),
    Column("records_processed", Integer),
    json_value("result_summary"),
    Column("error_message", Text),
    **MYSQL_OPTIONS,
)

task_chain_logs = Table(
    "task_chain_logs",
    metadata,
    auto_id(),
    Column("chain_name", String(50), nullable=False),
    instant("started_at", nullable=False, index=True),
    instant("completed_at"),
    Column("status", Enum("running", "completed", "failed", "partial", name="chain_status"), nullable=False),
    Column("current_step", String(50)),
    json_value("steps_completed"),
    Column("error_message", Text),
    Column("total_duration_seconds", Integer),
    Column("run_id", exact_text(64)),  # ours: the root run, so that a resumed chain continues its row
    instant("as_of"),  # ours: the instant at which every partner is counted
    Index("uq_task_chain_logs_chain_name_run_id", "chain_name", "run_id", unique=True),
    **MYSQL_OPTIONS,
)

# Ours, and all that follow.
alert_incidents = Table(
    "alert_incidents",
    metadata,
    auto_id(),
    Column("incident_key", exact_text(200), nullable=False, unique=True),
    Column("kind", String(50), nullable=False),
    instant("opened_at", nullable=False),
    instant("last_seen_at", nullable=False),
    instant("closed_at"),
    instant("notified_at"),
    instant("closed_notified_at"),
    number("occurrences"),
    json_value("details"),
    Index("ix_alert_incidents_closed_at", "closed_at"),
    **MYSQL_OPTIONS,
)

lms_offboarding_plans = Table(
    "lms_offboarding_plans",
    metadata,
    auto_id(),
    instant("created_at", nullable=False),
    Column("status", String(20), nullable=False, server_default="proposed"),
    Column("reviewed_by", String(255)),
    instant("reviewed_at"),
    instant("applied_at"),
    Column("facts_digest", String(64)),
    json_value("summary"),
    **MYSQL_OPTIONS,
)

lms_offboarding_items = Table(
    "lms_offboarding_items",
    metadata,
    auto_id(),
    Column("plan_id", ForeignKey("lms_offboarding_plans.id", ondelete="CASCADE"), nullable=False),
    lms_id("group_id", nullable=False),
    lms_id("user_id", nullable=False),
    Column("partner_id", Integer),
    Column("contact_id", Integer),
    Column("reason", String(255), nullable=False),
    Column("status", String(20), nullable=False, server_default="planned"),
    instant("sent_at"),
    instant("answered_at"),
    Column("http_status", Integer),
    Column("error", String(1000)),
    UniqueConstraint("plan_id", "group_id", "user_id"),
    **MYSQL_OPTIONS,
)

webhook_events_seen = Table(
    "webhook_events_seen",
    metadata,
    Column("event_key", exact_text(200), primary_key=True),
    instant("seen_at", nullable=False, index=True),
    **MYSQL_OPTIONS,
)

sync_state = Table(
    "sync_state",
    metadata,
    Column("name", exact_text(100), primary_key=True),
    json_value("value"),
    instant("updated_at", nullable=False),
    **MYSQL_OPTIONS,
)

# One row for each sync that took rows away: the base of the deactivation limit over 24 hours.
sync_deactivations = Table(
    "sync_deactivations",
    metadata,
    auto_id(),
    Column("kind", String(50), nullable=False),
    Column("scope", String(255), nullable=False, server_default=""),
    number("number"),
    flag("allowed", default=False),
    Column("run_id", String(64)),
    instant("at", nullable=False),
    Index("ix_sync_deactivations_kind_at", "kind", "at"),
    **MYSQL_OPTIONS,
)

sync_overrides = Table(
    "sync_overrides",
    metadata,
    auto_id(),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("allows", String(1000), nullable=False),
    Column("issued_by", String(255), nullable=False),
    instant("issued_at", nullable=False),
    instant("expires_at", nullable=False),
    Column("run_id", String(64)),
    instant("claimed_at"),
    **MYSQL_OPTIONS,
)

sync_override_uses = Table(
    "sync_override_uses",
    metadata,
    auto_id(),
    Column("override_id", ForeignKey("sync_overrides.id"), nullable=False),
    Column("what", String(100), nullable=False),
    Column("asset", String(100), nullable=False),
    Column("scope", String(255), nullable=False, server_default=""),
    Column("number", Integer),
    Column("used_by", String(255)),
    instant("used_at", nullable=False),
    Column("run_id", String(64)),
    **MYSQL_OPTIONS,
)

# One row for each field that was ever sent to the CRM. Written before it is sent; the answer is filled in once, and
# nothing else is ever changed: without an `outcome` nobody knows what became of it (the run died in between).
partner_push_log = Table(
    "partner_push_log",
    metadata,
    auto_id(),
    Column("sending_id", exact_text(32), nullable=False),
    Column("run_id", String(64)),
    instant("sent_at", nullable=False, index=True),
    Column("partner_id", Integer),
    Column("impartner_id", Integer, nullable=False),
    Column("field", String(100), nullable=False),
    Column("last_confirmed", String(1000)),
    Column("crm_showed", String(1000)),
    Column("sent", String(1000)),
    Column("attempt", Integer, nullable=False),
    Index("ix_partner_push_log_impartner_id", "impartner_id", "id"),
    Index("ix_partner_push_log_sending_id", "sending_id", "impartner_id"),
    **MYSQL_OPTIONS,
)

# What became of a row of partner_push_log, under its id. None: sent, and nobody knows whether it arrived.
partner_push_answers = Table(
    "partner_push_answers",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("outcome", String(20), nullable=False),
    Column("answer_code", String(100)),
    Column("answer", String(1000)),
    Column("read_back", String(1000)),
    instant("answered_at", nullable=False),
    **MYSQL_OPTIONS,
)
