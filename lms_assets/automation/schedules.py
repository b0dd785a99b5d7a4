"""The timetable as Dagster's schedules, all in UTC. Off until a person switches them on; the demo does."""

from __future__ import annotations

from datetime import UTC

import dagster as dg

from lms_assets.automation.jobs import JOBS
from lms_assets.domain.schedule import TRAILING_DAYS, ScheduleEntry
from lms_assets.lineage import TIMETABLE
from lms_assets.run_tags import AS_OF_TAG
from lms_assets.runs.active import run_under_way
from lms_assets.runs.partitions import full_range_tags, trailing_days_tags


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
