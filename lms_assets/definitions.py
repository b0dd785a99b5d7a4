"""The door: explicit lists of everything Dagster is to know, and the log that every run writes. No logic."""

from __future__ import annotations

import dagster as dg

from lms_assets.asset_specs import SOURCES
from lms_assets.assets.leads import leads
from lms_assets.assets.offboarding.crm_deactivations import crm_deactivations
from lms_assets.assets.offboarding.plan import lms_offboarding_plan
from lms_assets.assets.tier_1_foundation.contacts import contacts
from lms_assets.assets.tier_1_foundation.course_npcu import course_npcu
from lms_assets.assets.tier_1_foundation.courses import courses
from lms_assets.assets.tier_1_foundation.partners import partners
from lms_assets.assets.tier_2_users_and_groups.groups import groups
from lms_assets.assets.tier_2_users_and_groups.memberships import memberships
from lms_assets.assets.tier_2_users_and_groups.users import users
from lms_assets.assets.tier_3_enrollments.enrollments import enrollments
from lms_assets.assets.tier_3_enrollments.read_ahead import read_ahead
from lms_assets.assets.tier_4_aggregation_and_push.certifications import partner_certifications
from lms_assets.assets.tier_4_aggregation_and_push.counts import partner_cert_counts
from lms_assets.assets.tier_4_aggregation_and_push.push import pushed_partner_cert_counts
from lms_assets.assets.tier_5_reporting import executive_weekly_report, pam_weekly_report
from lms_assets.automation.alerting.alerts import open_incidents_sensor
from lms_assets.automation.chain_log import add_chain_log
from lms_assets.automation.jobs import JOBS, SCHEDULES
from lms_assets.automation.sensors import SENSORS
from lms_assets.checks.evaluations import CHECK_STEPS, chain_is_whole
from lms_assets.checks.incidents import open_incidents_check
from lms_assets.resources import RESOURCES
from lms_assets.runs.execution import EXECUTOR, run_beside
from lms_assets.warehouse.migrations.current import require_migration

add_chain_log()
require_migration()
run_beside(read_ahead)

defs = dg.Definitions(
    assets=[
        *SOURCES,
        courses,
        course_npcu,
        partners,
        contacts,
        users,
        groups,
        memberships,
        enrollments,
        partner_certifications,
        partner_cert_counts,
        pushed_partner_cert_counts,
        leads,
        crm_deactivations,
        lms_offboarding_plan,
        pam_weekly_report,
        executive_weekly_report,
    ],
    asset_checks=[*CHECK_STEPS, chain_is_whole, open_incidents_check],
    jobs=JOBS,
    schedules=SCHEDULES,
    sensors=[*SENSORS, open_incidents_sensor],
    resources=RESOURCES,
    executor=EXECUTOR,
)
