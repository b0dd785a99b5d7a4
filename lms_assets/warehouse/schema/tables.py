"""Index of every table: `from lms_assets.warehouse import tables`, then `tables.partners`.

Names, columns and meanings are those of the portal's schema. No statement is run here.
"""

from __future__ import annotations

from lms_assets.warehouse.schema.base import COLLATION, LMS_ID_LENGTH, metadata
from lms_assets.warehouse.schema.crm import (
    contact_affiliations,
    contacts,
    crm_shown_counts,
    leads,
    partner_cert_history,
    partners,
    pushed_partner_counts,
)
from lms_assets.warehouse.schema.lms import (
    certification_category_rules,
    course_properties,
    enrollment_weeks,
    group_partner_overrides,
    lms_courses,
    lms_enrollments,
    lms_group_members,
    lms_groups,
    lms_users,
    transcript_staging,
)
from lms_assets.warehouse.schema.operations import (
    alert_incidents,
    email_log,
    executive_report_recipients,
    lms_offboarding_items,
    lms_offboarding_plans,
    partner_managers,
    partner_push_log,
    scheduled_tasks,
    sync_deactivations,
    sync_failures,
    sync_logs,
    sync_override_uses,
    sync_overrides,
    sync_state,
    task_chain_logs,
    task_run_history,
    webhook_events_seen,
)

__all__ = [
    "COLLATION",
    "LMS_ID_LENGTH",
    "alert_incidents",
    "certification_category_rules",
    "contact_affiliations",
    "contacts",
    "course_properties",
    "crm_shown_counts",
    "email_log",
    "enrollment_weeks",
    "executive_report_recipients",
    "group_partner_overrides",
    "leads",
    "lms_courses",
    "lms_enrollments",
    "lms_group_members",
    "lms_groups",
    "lms_offboarding_items",
    "lms_offboarding_plans",
    "lms_users",
    "metadata",
    "partner_cert_history",
    "partner_managers",
    "partner_push_log",
    "partners",
    "pushed_partner_counts",
    "scheduled_tasks",
    "sync_deactivations",
    "sync_failures",
    "sync_logs",
    "sync_override_uses",
    "sync_overrides",
    "sync_state",
    "task_chain_logs",
    "task_run_history",
    "transcript_staging",
    "webhook_events_seen",
]
