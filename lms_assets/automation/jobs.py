"""The jobs: which assets run together, and which checks of earlier tiers stand before them; and the timetable.

The timetable's schedules, all in UTC, are off until a person switches them on; the demo does.
"""

from __future__ import annotations

from datetime import UTC
from typing import Any

import dagster as dg

from lms_assets.automation.cleanup import cleanup
from lms_assets.automation.offboarding import offboarding_apply
from lms_assets.checks.specs import CHAIN_IS_WHOLE, blocking_checks_before, checks_of
from lms_assets.domain.schedule import (
    CHAIN,
    ENROLLMENTS_JOB,
    LEADS_FULL_JOB,
    LEADS_JOB,
    PLAN_JOB,
    PUSH_JOB,
    REPORTS_JOB,
    TRAILING_DAYS,
    ScheduleEntry,
)
from lms_assets.lineage import ASSETS_OF_JOBS, DAILY_FULL, ENTRIES, GROUP_OF_JOB, TIMETABLE
from lms_assets.run_tags import AS_OF_TAG, CONCURRENCY_GROUP_TAG, JOB_TAG, LEADS_TAG
from lms_assets.runs.active import run_under_way
from lms_assets.runs.execution import IN_PROCESS
from lms_assets.runs.partitions import full_range_tags, trailing_days_tags
from lms_assets.runs.retries import RETRIED, retried_only_where_it_helps

HOW_TO_START = """The whole chain, tier 1 to 4, over all weeks.

**Start it**: *Materialize all…*, *Latest*, *Launch 1 run*. Whatever weeks you choose, everybody is read as long as the
running week is among them.

**Go on with one that failed or ended partial**: open its run, *Re-execute*, *From asset failure*."""

# The reports judge the data themselves (domain/safety/report_release), since a person can release them.
WITHOUT_UPSTREAM_CHECKS = frozenset({REPORTS_JOB})


def _job(name: str, description: str, *, tags: dict[str, str] | None = None) -> Any:
    """A job of its assets with their own checks, and the blocking checks of every asset before them."""
    assets = ASSETS_OF_JOBS[name]
    selection = dg.AssetSelection.assets(*assets).without_checks()
    own = [line.key for asset in assets for line in checks_of(asset)]
    blocking_checks = () if name in WITHOUT_UPSTREAM_CHECKS else [check.key for check in blocking_checks_before(assets)]
    whole = [dg.AssetCheckKey(dg.AssetKey(DAILY_FULL[-1]), CHAIN_IS_WHOLE)] if name == CHAIN else []
    selection = selection | dg.AssetSelection.checks(*own, *blocking_checks, *whole)
    all_tags = {JOB_TAG: name, CONCURRENCY_GROUP_TAG: GROUP_OF_JOB[name], **(tags or {})}
    hooks = {retried_only_where_it_helps} if tags == RETRIED else set()
    return dg.define_asset_job(
        name,
        selection=selection,
        description=description,
        tags=all_tags,
        hooks=hooks,
        executor_def=None if name == CHAIN else IN_PROCESS,
    )


DESCRIPTIONS = {
    CHAIN: HOW_TO_START,
    ENROLLMENTS_JOB: "Who left the CRM, learning records of people who were active, and the counts that follow.\n\n"
    "**Start it**: *Materialize all…*, *Latest*, *Launch 1 run*.",
    PUSH_JOB: "Counts again and sends the CRM what changed.",
    LEADS_JOB: "Leads that changed or were deleted since the last time, and each partner's number.",
    REPORTS_JOB: "Monday's mails to account managers and executives.",
    LEADS_FULL_JOB: "All leads of partners; removes deleted and converted ones.",
    PLAN_JOB: "Who should leave which LMS group: a plan to review. Sends nothing.",
}
TAGS = {CHAIN: RETRIED, LEADS_FULL_JOB: {LEADS_TAG: "full"}}

JOBS: list[Any] = [
    *(
        _job(name, DESCRIPTIONS.get(name) or ENTRIES[assets[0]].description, tags=TAGS.get(name))
        for name, assets in ASSETS_OF_JOBS.items()
    ),
    offboarding_apply,
    cleanup,
]


def _schedule(line: ScheduleEntry) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=line.schedule,
        job_name=line.job,
        cron_schedule=line.cron,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=line.what,
    )
    def evaluate(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        return _evaluate(line, context)

    return evaluate


def _evaluate(line: ScheduleEntry, context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """One run for the tick; none while the same job, or one that does its work too, is under way."""
    under_way = run_under_way(context.instance, (line.job, *line.left_out_during))
    if under_way is not None:
        state = under_way.status.value.lower()
        return dg.SkipReason(f"{under_way.job_name} is {state} (run {under_way.run_id[:8]}): this tick is left out")
    tick = context.scheduled_execution_time.astimezone(UTC)
    tags = {AS_OF_TAG: tick.isoformat()}
    if line.weeks == "all":
        tags |= full_range_tags(tick)
    elif line.weeks == "trailing":
        tags |= trailing_days_tags(tick, TRAILING_DAYS)
    return dg.RunRequest(run_key=tick.isoformat(), tags=tags)


SCHEDULES = [_schedule(line) for line in TIMETABLE if line.job in {job.name for job in JOBS}]
