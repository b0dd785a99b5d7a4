"""Every asset's spec in tier order: key, group, dependencies, kinds, owner, pool and cadence.

This file is the picture of the graph; the assets take their spec from here, so picture and program cannot drift.
No I/O, and no logic beyond what shapes a spec.
"""

from __future__ import annotations

from datetime import timedelta

import dagster as dg

from lms_assets.domain.operations import schedule as overdue

OWNER = "team:partner_data"
NORTHPASS_POOL = "northpass_api"
IMPARTNER_POOL = "impartner_api"

TIER_1 = "tier_1_foundation"
TIER_2 = "tier_2_users_and_groups"
TIER_3 = "tier_3_enrollments"
TIER_4 = "tier_4_aggregation_and_push"
TIER_5 = "tier_5_reporting"
LEADS = "leads"
OFFBOARDING = "offboarding"

# Overdue: the cadence has passed without a materialisation, with three hours for the nightly chain itself.
NIGHTLY = dg.FreshnessPolicy.cron(deadline_cron="0 5 * * *", lower_bound_delta=timedelta(hours=3), timezone="UTC")
FOUR_HOURLY = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=10), warn_window=timedelta(hours=9))
MONDAYS = dg.FreshnessPolicy.cron(deadline_cron="0 10 * * 1", lower_bound_delta=timedelta(hours=2), timezone="UTC")
THRICE_DAILY = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=14), warn_window=timedelta(hours=13))

# Mondays, the running week included. 2024-01-01: older completions can no longer be held (24 months).
WEEKLY = dg.WeeklyPartitionsDefinition(start_date="2024-01-01", day_offset=1, end_offset=1)

# Waits of about 15 and 45 seconds: the clients have retried each call already, so this is for what takes longer.
STEP_RETRIES = dg.RetryPolicy(max_retries=2, delay=15, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)

POOLS = {
    "courses": NORTHPASS_POOL,
    "course_npcu": NORTHPASS_POOL,
    "partners": IMPARTNER_POOL,
    "contacts": IMPARTNER_POOL,
    "users": NORTHPASS_POOL,
    "groups": NORTHPASS_POOL,
    "memberships": NORTHPASS_POOL,
    "enrollments": NORTHPASS_POOL,
    "pushed_partner_cert_counts": IMPARTNER_POOL,
    "leads": IMPARTNER_POOL,
    "crm_deactivations": IMPARTNER_POOL,
}


def _spec(
    key: str,
    group: str,
    deps: tuple[str, ...],
    description: str,
    *,
    cadence: dg.FreshnessPolicy | None = NIGHTLY,
    kinds: tuple[str, ...] = ("python", "mysql"),
    personal_data: bool = False,
    partitions: dg.PartitionsDefinition[str] | None = None,
) -> dg.AssetSpec:
    return dg.AssetSpec(
        key,
        group_name=group,
        deps=list(deps),
        description=description,
        owners=[OWNER],
        kinds=set(kinds),
        tags={"pii": "yes" if personal_data else "no"},
        freshness_policy=cadence,
        partitions_def=partitions,
    )


SOURCES = (
    dg.AssetSpec("northpass", group_name="vendors", kinds={"api"}, description="The Northpass LMS, API version 2."),
    dg.AssetSpec(
        "impartner", group_name="vendors", kinds={"api"}, description="The Impartner partner CRM, Objects API v1."
    ),
)

COURSES = _spec("courses", TIER_1, ("northpass",), "Every course that the LMS lists, into `lms_courses`.")
COURSE_NPCU = _spec(
    "course_npcu",
    TIER_1,
    ("northpass", "courses"),
    "NPCU points and certification category of each course, archived versions included. Points are 0, 1 or 2; "
    "anything else counts as 0 and shows in a check.",
)
PARTNERS = _spec(
    "partners", TIER_1, ("impartner",), "Partner accounts of the CRM that the rules keep, into `partners`."
)
CONTACTS = _spec(
    "contacts",
    TIER_1,
    ("impartner", "partners"),
    "Partner people as the CRM knows them, linked to their partner, into `contacts`.",
    personal_data=True,
)
USERS = _spec(
    "users",
    TIER_2,
    ("northpass", "contacts"),
    "Every LMS account, linked to its contact by e-mail, into `lms_users`.",
    personal_data=True,
)
GROUPS = _spec(
    "groups", TIER_2, ("northpass", "partners"), "LMS groups and the partner each belongs to, into `lms_groups`."
)
MEMBERSHIPS = _spec(
    "memberships",
    TIER_2,
    ("northpass", "groups", "users"),
    "Who is in which partner's group, into `lms_group_members`. When it fails the last good members stay.",
)
ENROLLMENTS = _spec(
    "enrollments",
    TIER_3,
    ("northpass", "courses", "course_npcu", "partners", "contacts", "users", "groups", "memberships"),
    "Learning records of partner people, into `lms_enrollments`. A partition is a week of activity.",
    cadence=FOUR_HOURLY,
    personal_data=True,
    partitions=WEEKLY,
)
CRM_DEACTIVATIONS = _spec(
    "crm_deactivations",
    OFFBOARDING,
    ("impartner", "partners", "contacts"),
    "Partners and contacts that left the CRM since the last look: deleted, inactive, or out by a rule. Deactivated "
    "within hours; who comes back is linked by the nightly chain.",
    cadence=None,
)
PARTNER_CERT_COUNTS = _spec(
    "partner_cert_counts",
    TIER_4,
    (
        "courses",
        "course_npcu",
        "partners",
        "contacts",
        "users",
        "groups",
        "memberships",
        "enrollments",
        "crm_deactivations",
    ),
    "What each partner's people hold at the chain's start: certifications by category and NPCU.",
    cadence=FOUR_HOURLY,
)
PUSHED_PARTNER_CERT_COUNTS = _spec(
    "pushed_partner_cert_counts",
    TIER_4,
    ("partner_cert_counts",),
    "The counts as the CRM confirmed them. Only what differs from the last confirmed values is sent.",
    kinds=("python", "api"),
)

LEADS_OF_PARTNERS = _spec(
    "leads",
    LEADS,
    ("impartner", "partners"),
    "Leads that the CRM gave to partners, into `leads`, and each partner's number of them.",
    cadence=THRICE_DAILY,
    personal_data=True,
)

PAM_WEEKLY_REPORT = _spec(
    "pam_weekly_report",
    TIER_5,
    ("partner_cert_counts", "leads"),
    "The week's mail to each partner account manager; nobody gets the same week twice.",
    cadence=MONDAYS,
    kinds=("python", "email"),
    personal_data=True,
)
EXECUTIVE_WEEKLY_REPORT = _spec(
    "executive_weekly_report",
    TIER_5,
    ("partner_cert_counts", "leads"),
    "The week's roll-up over all partners for the executives.",
    cadence=MONDAYS,
    kinds=("python", "email"),
)

OFFBOARDING_PLAN = _spec(
    "lms_offboarding_plan",
    OFFBOARDING,
    ("partners", "contacts", "users", "groups", "memberships"),
    "Who should leave which LMS group because a partner or contact went inactive: a plan to review, nothing is sent.",
    cadence=None,
    personal_data=True,
)

TIERS_1_TO_4 = (
    COURSES,
    COURSE_NPCU,
    PARTNERS,
    CONTACTS,
    USERS,
    GROUPS,
    MEMBERSHIPS,
    ENROLLMENTS,
    PARTNER_CERT_COUNTS,
    PUSHED_PARTNER_CERT_COUNTS,
)
REPORTS = (PAM_WEEKLY_REPORT, EXECUTIVE_WEEKLY_REPORT)
# By cadence (domain.overdue), for the alert about what is overdue; the freshness policies above show it in the UI.
CADENCES = {
    **dict.fromkeys((spec.key.to_user_string() for spec in TIERS_1_TO_4), overdue.NIGHTLY),
    "enrollments": overdue.FOUR_HOURLY,
    "partner_cert_counts": overdue.FOUR_HOURLY,
    "leads": overdue.THRICE_DAILY,
    "pam_weekly_report": overdue.MONDAYS,
    "executive_weekly_report": overdue.MONDAYS,
}

SPECS = {
    spec.key.to_user_string(): spec
    for spec in (*TIERS_1_TO_4, LEADS_OF_PARTNERS, CRM_DEACTIVATIONS, OFFBOARDING_PLAN, *REPORTS)
}

CHAIN = "daily_full"
"""The job that runs the whole chain."""
DAILY_FULL = tuple(spec.key.to_user_string() for spec in TIERS_1_TO_4)
# A failure here leaves the last good state in place: the chain goes on and ends `partial` (domain rules, the chain).
NOT_REQUIRED = frozenset({"memberships", "pushed_partner_cert_counts"})

# Which rows a step writes: runs whose steps write the same ones take turns (automation.write_locks).
LEARNING_ROWS, LEADS_ROWS, REPORTS_ROWS = "learning", "leads", "reports"
GROUP_OF_STEP = {
    **dict.fromkeys(DAILY_FULL, LEARNING_ROWS),
    "crm_deactivations": LEARNING_ROWS,
    "lms_offboarding_plan": LEARNING_ROWS,
    "apply_offboarding_plan": LEARNING_ROWS,
    "leads": LEADS_ROWS,
    "pam_weekly_report": REPORTS_ROWS,
    "executive_weekly_report": REPORTS_ROWS,
    "remove_what_is_old": "cleanup",
}

# The portal's names for what an asset's sync does (portal schema, sync_type).
SYNC_TYPES = {
    "courses": "sync_courses",
    "course_npcu": "sync_npcu",
    "partners": "impartner_partners",
    "contacts": "impartner_contacts",
    "users": "users",
    "groups": "groups",
    "memberships": "group_members_sync",
    "enrollments": "enrollments",
    "partner_cert_counts": "partner_cert_counts",
    "pushed_partner_cert_counts": "sync_to_impartner",
    "leads": "sync_leads",
    "crm_deactivations": "crm_deactivations",
    "lms_offboarding_plan": "offboarding_plan",
    "pam_weekly_report": "pam_weekly_report",
    "executive_weekly_report": "executive_weekly_report",
}
