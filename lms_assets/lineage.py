"""The registry: the timetable, and one entry for each asset with everything that is a fact of it, in tier order.

Pools, jobs, portal tasks, concurrency groups and the specs that Dagster sees are derived from it, so an asset is added
in one place. No I/O, and no Dagster (see `asset_specs`), so that commands that need none start quickly.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from lms_assets.domain.records.contacts import DUPLICATE_EMAIL
from lms_assets.domain.schedule import (
    CHAIN,
    CLEANUP_JOB,
    ENROLLMENTS_JOB,
    LEADS_FULL_JOB,
    LEADS_JOB,
    MONDAY,
    PLAN_JOB,
    PUSH_JOB,
    REPORTS_JOB,
    SUNDAY,
    Cadence,
    ScheduleEntry,
)
from lms_assets.registry import LEARNING_ROWS, Asset

NORTHPASS_POOL = "northpass_api"
IMPARTNER_POOL = "impartner_api"

TIER_1 = "tier_1_foundation"
TIER_2 = "tier_2_users_and_groups"
TIER_3 = "tier_3_enrollments"
TIER_4 = "tier_4_aggregation_and_push"
TIER_5 = "tier_5_reporting"
LEADS = "leads"
OFFBOARDING = "offboarding"

# Concurrency groups: which rows a step writes. Runs whose steps write the same ones take turns (runs.write_locks).
LEADS_ROWS, REPORTS_ROWS, LOGS = "leads", "reports", "cleanup"

# When each job starts by itself (UTC).
CHAIN_LINE = ScheduleEntry("daily_full_at_2", CHAIN, (2,), "The whole chain, over all weeks.", weeks="all")
ENROLLMENTS_LINE = ScheduleEntry(
    "enrollments_every_4_hours",
    ENROLLMENTS_JOB,
    (6, 10, 14, 18, 22),
    "Learning records of the trailing seven days.",
    weeks="trailing",
    left_out_during=(CHAIN,),
)
LEADS_LINE = ScheduleEntry(
    "leads_thrice_daily", LEADS_JOB, (8, 14, 20), "Leads that changed.", None, None, (LEADS_FULL_JOB,)
)
LEADS_FULL_LINE = ScheduleEntry(
    "leads_on_sundays", LEADS_FULL_JOB, (3,), "All leads; removes those gone or converted.", SUNDAY
)
CLEANUP_LINE = ScheduleEntry(
    "cleanup_on_sundays", CLEANUP_JOB, (4,), "Removes logs that are older than 30 days.", SUNDAY
)
REPORTS_LINE = ScheduleEntry("reports_on_mondays", REPORTS_JOB, (8,), "The reports to PAMs and executives.", MONDAY)

TIMETABLE = (CHAIN_LINE, ENROLLMENTS_LINE, LEADS_LINE, LEADS_FULL_LINE, CLEANUP_LINE, REPORTS_LINE)

# How often an asset must come through.
NIGHTLY = Cadence(CHAIN, CHAIN_LINE, timedelta(hours=3))
FOUR_HOURLY = Cadence(ENROLLMENTS_JOB, window=timedelta(hours=10))
THRICE_DAILY = Cadence(LEADS_JOB, window=timedelta(hours=14))
MONDAYS = Cadence(REPORTS_JOB, REPORTS_LINE, timedelta(hours=2))

LEDGER_IN_SQL = """What every count is made of: a row for each partner, person and certification, with the enrollment
that decides, how the person belongs, the verdict and its reason.

Rows that change are closed (`valid_to`) and opened again (`valid_from`), never edited; both name the counting by its
instant. Add up what counts now:

```sql
SELECT partner_id, category, COUNT(*) AS certifications, SUM(npcu) AS npcu
FROM partner_certifications WHERE counted AND valid_to IS NULL GROUP BY partner_id, category
```

And as it was known at any past instant:

```sql
SELECT partner_id, category, COUNT(*) AS certifications, SUM(npcu) AS npcu
FROM partner_certifications
WHERE counted AND valid_from <= :instant AND (valid_to IS NULL OR valid_to > :instant)
GROUP BY partner_id, category
```"""

ASSETS = (
    Asset(
        key="courses",
        tier=TIER_1,
        deps=("northpass/courses",),
        description="Every course that the LMS lists, into `lms_courses`.",
        table="lms_courses",
        sync_type="sync_courses",
        task="Courses",
        cadence=NIGHTLY,
        pool=NORTHPASS_POOL,
        records=("course",),
    ),
    Asset(
        key="course_npcu",
        tier=TIER_1,
        deps=("northpass/course_properties", "courses"),
        description="NPCU points and certification category of each course, archived versions included. Points are "
        "0, 1 or 2; anything else counts as 0 and shows in a check.",
        table="lms_courses",
        sync_type="sync_npcu",
        task="Course points (NPCU)",
        cadence=NIGHTLY,
        pool=NORTHPASS_POOL,
        records=("course_properties",),
        rules=("category_rules",),
    ),
    Asset(
        key="partners",
        tier=TIER_1,
        deps=("impartner/Account",),
        description="Partner accounts of the CRM that the rules keep, into `partners`.",
        table="partners",
        sync_type="impartner_partners",
        task="Partners",
        cadence=NIGHTLY,
        pool=IMPARTNER_POOL,
        records=("partner",),
        rules=("partner_tiers", "excluded_account_statuses", "excluded_partner_name_words"),
    ),
    Asset(
        key="contacts",
        tier=TIER_1,
        deps=("impartner/User", "partners"),
        description="People of partners as the CRM lists them, linked to their partner, into `contacts`.",
        table="contacts",
        sync_type="impartner_contacts",
        task="Contacts",
        cadence=NIGHTLY,
        pool=IMPARTNER_POOL,
        records=("contact", DUPLICATE_EMAIL),
        personal_data=True,
        rules=("excluded_contact_statuses", "excluded_email_domains", "excluded_local_part_words"),
    ),
    Asset(
        key="users",
        tier=TIER_2,
        deps=("northpass/people", "contacts"),
        description="Every LMS account, linked to its contact by e-mail, into `lms_users`.",
        table="lms_users",
        sync_type="users",
        task="LMS users",
        cadence=NIGHTLY,
        pool=NORTHPASS_POOL,
        records=("lms_user",),
        personal_data=True,
        rules=("excluded_email_domains", "excluded_local_part_words"),
    ),
    Asset(
        key="groups",
        tier=TIER_2,
        deps=("northpass/groups", "partners"),
        description="LMS groups and the partner each belongs to, into `lms_groups`.",
        table="lms_groups",
        sync_type="groups",
        task="LMS groups",
        cadence=NIGHTLY,
        pool=NORTHPASS_POOL,
        records=("group",),
        rules=(
            "kept_group_names",
            "excluded_group_names",
            "excluded_group_words",
            "group_name_prefixes",
            "legal_suffixes",
            "legal_prefixes",
            "legal_affixes",
            "filler_words",
            "distinguishing_words",
            "fuzzy_threshold",
            "fuzzy_margin",
        ),
    ),
    Asset(
        key="memberships",
        tier=TIER_2,
        # Not of `users`: member lists are read while the contacts are, for which the users wait.
        deps=("northpass/memberships", "groups"),
        description="Who is in which partner's group, into `lms_group_members`. When it fails the last good members "
        "stay.",
        table="lms_group_members",
        sync_type="group_members_sync",
        task="Group members",
        cadence=NIGHTLY,
        pool=NORTHPASS_POOL,
        records=("group_members",),
        required=False,
    ),
    Asset(
        key="enrollments",
        tier=TIER_3,
        deps=(
            "northpass/transcripts",
            "courses",
            "course_npcu",
            "partners",
            "contacts",
            "users",
            "groups",
            "memberships",
        ),
        description="Learning records of partner people, into `lms_enrollments`. A partition is a week of activity.",
        table="lms_enrollments",
        sync_type="enrollments",
        jobs=(CHAIN, ENROLLMENTS_JOB),
        task="Enrollments",
        cadence=FOUR_HOURLY,
        pool=NORTHPASS_POOL,
        records=("enrollment", "transcript"),
        personal_data=True,
        weekly=True,
    ),
    Asset(
        key="crm_deactivations",
        tier=OFFBOARDING,
        deps=("impartner/Account", "impartner/User", "partners", "contacts"),
        description="Partners and contacts that left the CRM since the last run: deleted, inactive or excluded by "
        "rules. They are deactivated within hours; the nightly chain links those who come back.",
        table="partners",
        sync_type="crm_deactivations",
        # In the chain, whose full sync covers it: else the UI warns of an asset that was never materialized.
        jobs=(CHAIN, ENROLLMENTS_JOB),
        cadence=None,
        pool=IMPARTNER_POOL,
    ),
    Asset(
        key="partner_certifications",
        tier=TIER_4,
        deps=(
            *("courses", "course_npcu", "partners", "contacts", "users", "groups", "memberships", "enrollments"),
            "crm_deactivations",
        ),
        rules=("certification_months", "ledger_months", "gtm_category"),
        description=LEDGER_IN_SQL,
        table="partner_certifications",
        sync_type="partner_certifications",
        jobs=(CHAIN, ENROLLMENTS_JOB, PUSH_JOB),
        task="Certifications held",
        cadence=FOUR_HOURLY,
        personal_data=True,
    ),
    Asset(
        key="partner_cert_counts",
        tier=TIER_4,
        deps=("partner_certifications",),
        description="What each partner's people hold at the chain's start: the sums over `partner_certifications`.",
        table="partners",
        sync_type="partner_cert_counts",
        jobs=(CHAIN, ENROLLMENTS_JOB, PUSH_JOB),
        task="Certification counts",
        cadence=FOUR_HOURLY,
        rules=("crm_count_fields", "gtm_category"),
    ),
    Asset(
        key="pushed_partner_cert_counts",
        tier=TIER_4,
        deps=("partner_cert_counts",),
        description="The counts as the CRM confirmed them. Only what differs from the last confirmed values is sent.",
        table="pushed_partner_counts",
        sync_type="sync_to_impartner",
        jobs=(CHAIN, PUSH_JOB),
        task="Push to Impartner",
        cadence=NIGHTLY,
        pool=IMPARTNER_POOL,
        records=("partner",),
        required=False,
        kinds=("python", "api"),
        rules=("crm_count_fields", "crm_total_field", "crm_group_name_field", "crm_dashboard_field", "dashboard_path"),
    ),
    Asset(
        key="leads",
        tier=LEADS,
        deps=("impartner/Lead", "partners"),
        description="Leads that the CRM gave to partners, into `leads`, and each partner's number of them.",
        table="leads",
        sync_type="sync_leads",
        jobs=(LEADS_JOB, LEADS_FULL_JOB),
        task="Leads",
        cadence=THRICE_DAILY,
        pool=IMPARTNER_POOL,
        records=("lead",),
        group=LEADS_ROWS,
        personal_data=True,
    ),
    Asset(
        key="lms_offboarding_plan",
        tier=OFFBOARDING,
        deps=("partners", "contacts", "users", "groups", "memberships"),
        description="Who should leave which LMS group because a partner or contact went inactive: a plan to review, "
        "nothing is sent.",
        table="lms_offboarding_items",
        sync_type="offboarding_plan",
        jobs=(PLAN_JOB,),
        cadence=None,
        personal_data=True,
    ),
    Asset(
        key="pam_weekly_report",
        tier=TIER_5,
        deps=("partner_cert_counts", "leads"),
        description="The week's mail to each partner account manager; nobody gets the same week twice.",
        table="email_log",
        sync_type="pam_weekly_report",
        jobs=(REPORTS_JOB,),
        task="Weekly report to PAMs",
        cadence=MONDAYS,
        records=("report",),
        group=REPORTS_ROWS,
        kinds=("python", "email"),
        personal_data=True,
    ),
    Asset(
        key="executive_weekly_report",
        tier=TIER_5,
        deps=("partner_cert_counts", "leads"),
        description="The week's roll-up over all partners for the executives.",
        table="email_log",
        sync_type="executive_weekly_report",
        jobs=(REPORTS_JOB,),
        task="Weekly executive report",
        cadence=MONDAYS,
        records=("report",),
        group=REPORTS_ROWS,
        kinds=("python", "email"),
    ),
)

# Everything below is derived.
ENTRIES = {asset.key: asset for asset in ASSETS}
SYNC_TYPES = {asset.key: asset.sync_type for asset in ASSETS}
POOLS = {asset.key: asset.pool for asset in ASSETS if asset.pool}
CADENCES = {asset.key: asset.cadence for asset in ASSETS if asset.cadence}

DAILY_FULL = tuple(asset.key for asset in ASSETS if CHAIN in asset.jobs and asset.task)
"""The steps of the chain, in its order."""
COVERED_BY_CHAIN = tuple(asset.key for asset in ASSETS if CHAIN in asset.jobs and not asset.task)
"""What runs in the chain without a step of its own in the chain log."""
NOT_REQUIRED = frozenset(asset.key for asset in ASSETS if not asset.required)

ASSETS_OF_JOBS = {
    job: tuple(asset.key for asset in ASSETS if job in asset.jobs)
    for job in dict.fromkeys(job for asset in ASSETS for job in asset.jobs)
}
PARTITIONED_JOBS = frozenset(job for asset in ASSETS if asset.weekly for job in asset.jobs)
GROUP_OF_STEP = {
    **{asset.key: asset.group for asset in ASSETS},
    # Steps that are no assets.
    "apply_offboarding_plan": LEARNING_ROWS,
    "remove_what_is_old": LOGS,
}
GROUP_OF_JOB = {job: GROUP_OF_STEP[assets[0]] for job, assets in ASSETS_OF_JOBS.items()}


def ancestors(assets: Iterable[str]) -> set[str]:
    """Every asset of ours that one of these depends on, directly or not, without themselves."""
    found: set[str] = set()
    todo = list(assets)
    while todo:
        entry = ENTRIES.get(todo.pop())
        new = [dep for dep in (entry.deps if entry else ()) if dep in ENTRIES and dep not in found]
        found.update(new)
        todo += new
    return found - set(assets)
