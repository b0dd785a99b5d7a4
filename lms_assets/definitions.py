"""The door: explicit lists of everything Dagster is to know, and the log that every run writes. No logic."""

from __future__ import annotations

import dagster as dg

from lms_assets.assets.crm_departures import crm_departures
from lms_assets.assets.leads import leads
from lms_assets.assets.offboarding import lms_offboarding_plan
from lms_assets.assets.tier_1_foundation import contacts, course_npcu, courses, partners
from lms_assets.assets.tier_2_users_and_groups import groups, memberships, users
from lms_assets.assets.tier_3_enrollments import enrollments
from lms_assets.assets.tier_4_aggregation_and_push import partner_cert_counts, pushed_partner_cert_counts
from lms_assets.assets.tier_5_reporting import executive_weekly_report, pam_weekly_report
from lms_assets.automation.alerts import open_incidents_sensor
from lms_assets.automation.executor import EXECUTOR
from lms_assets.automation.jobs import JOBS
from lms_assets.automation.own_handler import add_chain_log
from lms_assets.automation.schedules import SCHEDULES
from lms_assets.automation.sensors import SENSORS
from lms_assets.checks.incidents import open_incidents_check
from lms_assets.checks.leads import LEADS_CHECKS
from lms_assets.checks.tier_1_foundation import TIER_1_CHECKS
from lms_assets.checks.tier_2_users_and_groups import TIER_2_CHECKS
from lms_assets.checks.tier_3_enrollments import TIER_3_CHECKS
from lms_assets.checks.tier_4_aggregation_and_push import TIER_4_CHECKS
from lms_assets.checks.tier_5_reporting import TIER_5_CHECKS
from lms_assets.checks.whole_chain import chain_is_whole
from lms_assets.lineage import SOURCES
from lms_assets.resources import Connections

add_chain_log()

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
        partner_cert_counts,
        pushed_partner_cert_counts,
        leads,
        crm_departures,
        lms_offboarding_plan,
        pam_weekly_report,
        executive_weekly_report,
    ],
    asset_checks=[
        *TIER_1_CHECKS,
        *TIER_2_CHECKS,
        *TIER_3_CHECKS,
        *TIER_4_CHECKS,
        *TIER_5_CHECKS,
        *LEADS_CHECKS,
        chain_is_whole,
        open_incidents_check,
    ],
    jobs=JOBS,
    schedules=SCHEDULES,
    sensors=[*SENSORS, open_incidents_sensor],
    resources={"lms": Connections()},
    executor=EXECUTOR,
)
