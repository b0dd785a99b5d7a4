"""The jobs: which assets run together, which checks of earlier tiers stand before them, and their timetable.

The timetable's schedules, all in UTC, are off until a person switches them on; the demo does.

Two jobs have no asset. `offboarding_apply` carries out one reviewed plan, named by its id; it is off until a limit a
day is set. `cleanup` removes what is older than 30 days from the warehouse's logs and from Dagster's own storage, and
rows of the ledger that were closed longer ago than the rules' `ledger_months`.
"""

# No postponed annotations: Dagster reads the type of `context` from the function itself.

import shutil
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from lms_assets.assets.offboarding.apply import Applied, finish, plan_removals, send_batch
from lms_assets.assets.offboarding.recheck import Known, Recheck
from lms_assets.checks.specs import CHAIN_IS_WHOLE, blocking_checks_before, checks_of
from lms_assets.domain.records.dates import months_after
from lms_assets.domain.safety.deactivation_limit import SyncStopped
from lms_assets.domain.safety.offboarding import without_changed
from lms_assets.domain.schedule import (
    APPLY_JOB,
    CHAIN,
    CLEANUP_JOB,
    ENROLLMENTS_JOB,
    LEADS_FULL_JOB,
    LEADS_JOB,
    PLAN_JOB,
    PUSH_JOB,
    REPORTS_JOB,
    TRAILING_DAYS,
    ScheduleEntry,
)
from lms_assets.lineage import ASSETS_OF_JOBS, DAILY_FULL, ENTRIES, GROUP_OF_JOB, LOGS, NORTHPASS_POOL, TIMETABLE
from lms_assets.registry import LEARNING_ROWS
from lms_assets.resources import ImpartnerResource, NorthpassResource, WarehouseResource
from lms_assets.run_tags import AS_OF_TAG, CONCURRENCY_GROUP_TAG, JOB_TAG, LEADS_TAG, OFFBOARDING_PLAN_TAG
from lms_assets.runs.active import FINISHED, run_under_way
from lms_assets.runs.dagster_internals import remove_check_results
from lms_assets.runs.execution import IN_PROCESS
from lms_assets.runs.liveness import home_of
from lms_assets.runs.tags import RETRIED, full_range_tags, retried_only_where_it_helps, trailing_days_tags
from lms_assets.runs.write_locks import Turn
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.results.ledger import forget_closed_before
from lms_assets.warehouse.state.cleanup import remove_old_logs
from lms_assets.warehouse.state.offboarding_plans import items_of

KEPT = timedelta(days=30)
AT_ONCE = 100


@dg.op(retry_policy=dg.RetryPolicy(max_retries=2, delay=30))
def remove_what_is_old(context: dg.OpExecutionContext, warehouse: WarehouseResource) -> None:
    """Remove old logs, runs and ticks, and report how many."""
    now = warehouse.now()
    before = now - KEPT
    closed_before = months_after(now, -warehouse.rules().ledger_months)

    def work(connection: Connection) -> dict[str, int]:
        closed = forget_closed_before(connection, closed_before, now=now)
        return {**remove_old_logs(connection, before=before, now=now), "partner_certifications": closed}

    with warehouse.open() as database:
        removed = database.in_transaction(work)
    removed["runs"] = remove_old_runs(context.instance, before)
    removed["leftovers"] = sum(remove_leftovers(context.instance, before))
    remove_old_ticks(context.instance, before)
    removed["check_results"] = remove_check_results(context.instance, before)
    context.add_output_metadata(removed)
    context.log.info("Removed: " + ", ".join(f"{count:,} {name}" for name, count in removed.items()))


@dg.job(
    name=CLEANUP_JOB,
    description="Removes logs, runs and ticks older than 30 days; every asset keeps its last materialisation.",
    tags={JOB_TAG: CLEANUP_JOB, CONCURRENCY_GROUP_TAG: LOGS},
    executor_def=IN_PROCESS,
)
def cleanup() -> None:
    """One step."""
    remove_what_is_old()


def remove_old_runs(instance: dg.DagsterInstance, before: datetime) -> int:
    """Remove finished runs created before an instant, but for those that hold the last materialisation of an asset or
    of one of its partitions: without its run a partition would count as missing. Gives how many.
    """
    kept = runs_to_keep(instance)
    count = 0
    cursor: str | None = None
    while True:
        records = instance.get_run_records(
            dg.RunsFilter(statuses=FINISHED, created_before=before), limit=AT_ONCE, cursor=cursor, ascending=True
        )
        for record in records:
            cursor = record.dagster_run.run_id if record.dagster_run.run_id in kept else cursor
            if record.dagster_run.run_id not in kept:
                instance.delete_run(record.dagster_run.run_id)
                count += 1
        if len(records) < AT_ONCE:
            return count


def runs_to_keep(instance: dg.DagsterInstance) -> set[str]:
    """Ids of the runs that hold the last materialisation of an asset, or of a partition."""
    kept: set[str] = set()
    storage = instance.event_log_storage
    for key in instance.all_asset_keys():
        event = instance.get_latest_materialization_event(key)
        if event is not None:
            kept.add(event.run_id)
        of_partitions = storage.get_latest_storage_id_by_partition(key, dg.DagsterEventType.ASSET_MATERIALIZATION)
        for ids in _parts(sorted(of_partitions.values())):
            found = instance.fetch_materializations(
                dg.AssetRecordsFilter(asset_key=key, storage_ids=ids), limit=len(ids)
            )
            kept |= {record.run_id for record in found.records}
    return kept


def _parts(ids: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(ids), AT_ONCE):
        yield ids[start : start + AT_ONCE]


def remove_old_ticks(instance: dg.DagsterInstance, before: datetime) -> None:
    """Remove ticks of schedules and sensors from before an instant."""
    for state in instance.all_instigator_state():
        instance.purge_ticks(state.instigator_origin_id, state.selector_id, before.timestamp())


def remove_leftovers(instance: dg.DagsterInstance, before: datetime) -> Iterable[int]:
    """Remove what Dagster leaves on disk for runs it no longer knows: compute logs, emptied SQLite files, locks."""
    home = home_of(instance)
    for folder in _run_folders(home / "storage"):
        yield _remove_if_orphaned(instance, folder, folder.name, before)
    for pattern in ("history/runs/*.db*", "run_locks/*.lock"):
        for file in home.glob(pattern):
            yield _remove_if_orphaned(instance, file, file.name.split(".")[0], before)


def _run_folders(storage: Path) -> list[Path]:
    # Folders of runs are named by their ids; others in there belong to other things.
    return [path for path in storage.glob("*-*-*-*-*") if path.is_dir()]


def _remove_if_orphaned(instance: dg.DagsterInstance, path: Path, run_id: str, before: datetime) -> int:
    if len(run_id) != 36 or path.stat().st_mtime > before.timestamp() or instance.has_run(run_id):
        return 0
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
    return 1


SHOWN = 20


class ApplyPlan(dg.Config):
    """Which plan; 0 leaves it to the run's tag `lms/offboarding_plan`."""

    plan: int = 0


@dg.op(pool=NORTHPASS_POOL)
def apply_offboarding_plan(
    context: dg.OpExecutionContext,
    config: ApplyPlan,
    northpass: NorthpassResource,
    impartner: ImpartnerResource,
    warehouse: WarehouseResource,
) -> None:
    """Send what the plan and the day allow; what fails or is left stays open for the next application.

    What each removal rests on is asked for again at both vendors right before; what has changed is dropped.
    """
    plan_id = config.plan or int(context.run.tags.get(OFFBOARDING_PLAN_TAG, "0"))
    step = "apply_offboarding_plan"
    with warehouse.open() as database, Turn(database, step, context.run.run_id, context.run.job_name) as turn:
        rules, now = warehouse.rules(), warehouse.now()
        try:
            due = plan_removals(database, rules, plan_id, now=now)
            applied = Applied(due.waiting)
            with northpass.client() as client, impartner.client() as crm:
                with database.read() as connection:
                    recheck = Recheck(crm, client, rules, Known.of(connection, rules, items_of(connection, plan_id)))
                for planned in due.batches:
                    turn.require()
                    batch = without_changed(planned, recheck.changed(planned))
                    send_batch(database, plan_id, client, batch, now=now)
                    applied.add(batch)
                    done, dropped, left = applied.done, len(applied.dropped), applied.left
                    context.log.info(f"Plan {plan_id}: removed {done:,}, dropped {dropped:,}, left {left:,}")
        except SyncStopped as refused:
            raise dg.Failure(str(refused), allow_retries=False) from refused
        finish(database, plan_id, applied, now=now)
    why = [f"{item.removal.user_id} in {item.removal.group_id}: {reason}" for item, reason in applied.dropped.items()]
    context.add_output_metadata(
        {
            "plan": plan_id,
            "removed": applied.done,
            "left": applied.left,
            "dropped": len(why),
            "why_dropped": why[:SHOWN],
        }
    )


@dg.job(
    name=APPLY_JOB,
    description="Takes people out of LMS groups according to a reviewed plan. Off until a limit a day is set.",
    tags={JOB_TAG: APPLY_JOB, CONCURRENCY_GROUP_TAG: LEARNING_ROWS},
    executor_def=IN_PROCESS,
)
def offboarding_apply() -> None:
    """One step."""
    apply_offboarding_plan()


HOW_TO_START = """The whole chain, tier 1 to 4, over all weeks.

**Start it**: *Materialize all…*, *Latest*, *Launch 1 run*. Whatever weeks you choose, everybody is read as long as the
running week is among them.

**Go on with one that failed or ended partial**: open its run, *Re-execute*, *From asset failure*."""

# The reports judge the data themselves (domain/operations/reports), since a person can release them.
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
