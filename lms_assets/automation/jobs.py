"""The jobs: which assets run together, and which checks of earlier tiers stand before them."""

from __future__ import annotations

from typing import Any

import dagster as dg

from lms_assets.automation.cleanup import cleanup
from lms_assets.automation.offboarding import offboarding_apply
from lms_assets.checks.specs import CHAIN_IS_WHOLE, blocking_checks_of, specs_of
from lms_assets.lineage import CHAIN, DAILY_FULL, GROUP_OF_STEP
from lms_assets.run_tags import CONCURRENCY_GROUP_TAG, JOB_TAG, LEADS_TAG
from lms_assets.runs.retries import RETRIED, retried_only_where_it_helps

HOW_TO_START = """The whole chain, tier 1 to 4, over all weeks.

**Start it**: *Materialize all…*, *Latest*, *Launch 1 run*. Whatever weeks you choose, everybody is read as long as the
running week is among them.

**Go on with one that failed or ended partial**: open its run, *Re-execute*, *From asset failure*."""
REPORTS_JOB = "weekly_reports"

ASSETS_OF_JOBS: dict[str, tuple[str, ...]] = {
    # With the CRM deactivations, which the full sync covers: else the UI warns of an asset that was never materialized.
    CHAIN: (*DAILY_FULL, "crm_deactivations"),
    "enrollments_incremental": ("crm_deactivations", "enrollments", "partner_cert_counts"),
    "push_to_impartner": ("partner_cert_counts", "pushed_partner_cert_counts"),
    "leads_incremental": ("leads",),
    "leads_full": ("leads",),
    "offboarding_plan": ("lms_offboarding_plan",),
    REPORTS_JOB: ("pam_weekly_report", "executive_weekly_report"),
}

# The reports judge the data themselves (domain/operations/report_release), since a person can release them.
WITHOUT_UPSTREAM_CHECKS = frozenset({REPORTS_JOB})

# Jobs of one concurrency group write the same rows: they take turns.
CONCURRENCY_GROUPS = {job: GROUP_OF_STEP[assets[0]] for job, assets in ASSETS_OF_JOBS.items()}


def _job(name: str, description: str, *, tags: dict[str, str] | None = None) -> Any:
    """A job of its assets with their own checks, and the blocking checks of every asset before them."""
    assets = ASSETS_OF_JOBS[name]
    selection = dg.AssetSelection.assets(*assets).without_checks()
    own = [line.key for asset in assets for line in specs_of(asset)]
    blocking_checks = () if name in WITHOUT_UPSTREAM_CHECKS else blocking_checks_of(assets)
    whole = [dg.AssetCheckKey(dg.AssetKey(DAILY_FULL[-1]), CHAIN_IS_WHOLE)] if name == CHAIN else []
    selection = selection | dg.AssetSelection.checks(*own, *blocking_checks, *whole)
    all_tags = {JOB_TAG: name, CONCURRENCY_GROUP_TAG: CONCURRENCY_GROUPS.get(name, name), **(tags or {})}
    hooks = {retried_only_where_it_helps} if tags == RETRIED else set()
    return dg.define_asset_job(name, selection=selection, description=description, tags=all_tags, hooks=hooks)


JOBS: list[Any] = [
    _job(CHAIN, HOW_TO_START, tags=RETRIED),
    _job(
        "enrollments_incremental",
        "Who left the CRM, learning records of people who were active, and the counts that follow.\n\n"
        "**Start it**: *Materialize all…*, *Latest*, *Launch 1 run*.",
    ),
    _job("push_to_impartner", "Counts again and sends the CRM what changed."),
    _job("leads_incremental", "Leads that changed or were deleted since the last time, and each partner's number."),
    _job("weekly_reports", "Monday's mails to account managers and executives."),
    _job("leads_full", "All leads of partners; removes those that are gone or converted.", tags={LEADS_TAG: "full"}),
    _job("offboarding_plan", "Who should leave which LMS group: a plan to review. Sends nothing."),
    offboarding_apply,
    cleanup,
]
