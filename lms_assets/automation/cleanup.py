"""The job `cleanup`: removes what is older than 30 days from the warehouse's logs and from Dagster's own storage, and
rows of the ledger that were closed longer ago than the rules' `ledger_months`.
"""

# No postponed annotations: Dagster reads the type of `context` from the function itself.

import shutil
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg

from lms_assets.domain.records.dates import months_after
from lms_assets.domain.schedule import CLEANUP_JOB
from lms_assets.lineage import LOGS
from lms_assets.resources import WarehouseResource
from lms_assets.run_tags import CONCURRENCY_GROUP_TAG, JOB_TAG
from lms_assets.runs.active import FINISHED
from lms_assets.runs.dagster_internals import remove_check_results
from lms_assets.runs.execution import IN_PROCESS
from lms_assets.runs.liveness import home_of
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.results.ledger import forget_closed_before
from lms_assets.warehouse.state.cleanup import remove_old_logs

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
