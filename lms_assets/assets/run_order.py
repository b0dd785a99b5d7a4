"""What a run was asked for, judged before any of its steps writes: the instant as of which it counts, and its weeks."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import dagster as dg

from lms_assets.asset_specs import WEEKLY
from lms_assets.domain.safety.deactivation_limit import SyncStopped
from lms_assets.domain.safety.run_instants import instant_problem, parse_as_of
from lms_assets.domain.schedule import CHAIN, range_problem, weeks_to_read
from lms_assets.lineage import COVERED_BY_CHAIN, DAILY_FULL
from lms_assets.run_tags import AS_OF_TAG, PARTITION_TAG, RANGE_END, RANGE_START

# What counts, or what counts are made of. Leads and reports do not look at the instant of their chain.
AS_OF_MATTERS = frozenset({*DAILY_FULL, *COVERED_BY_CHAIN})
CALLED = "called_directly"
START_AGAIN = "Nothing was written by this step. Start the job again, without the tags of an earlier run or tick"


class WrongOrder(SyncStopped):
    """The run must not do what its tags ask for; only another run can."""


def run_of(context: dg.AssetExecutionContext) -> dg.DagsterRun:
    """The run of a step. An asset that is called as a function, in a test, has one of its own."""
    try:
        run: dg.DagsterRun = context.run
    except dg.DagsterError:
        run = dg.DagsterRun(job_name=CALLED, run_id=CALLED, tags=dict(context.op_execution_context.run_tags))
        if not context.instance.has_run(CALLED):
            context.instance.add_run(run)
    return run


def chain_started_at(context: dg.AssetExecutionContext) -> datetime:
    """When the chain of this step's run began; see `chain_start_of`."""
    return chain_start_of(run_of(context), context.instance)


def chain_start_of(run: dg.DagsterRun, instance: dg.DagsterInstance) -> datetime:
    """When the chain of a run began, UTC: what `lms/as_of` says, else when its first run was made.

    Raises:
        WrongOrder: the tag is no instant.
        LookupError: Dagster does not know the first run any more.
    """
    text = run.tags.get(AS_OF_TAG)
    if text:
        try:
            return parse_as_of(text)
        except ValueError as error:
            raise WrongOrder(
                f"The tag {AS_OF_TAG} is {text!r}: {error}. It takes an instant such as 2026-03-02T02:00:00+00:00. "
                f"{START_AGAIN}."
            ) from error
    root = run.root_run_id or run.run_id
    record = instance.get_run_record_by_id(root)
    if record is None:
        raise LookupError(f"Run {root} is not in Dagster's storage; start a new chain")
    created: datetime = record.create_timestamp
    return created.astimezone(UTC)


def refuse_wrong_order(context: dg.AssetExecutionContext, key: str, now: datetime) -> None:
    """Refuse a run as of an instant outside its last 24 hours, and one over weeks that do not exist.

    Raises:
        WrongOrder: says what is wrong, and what to do.
    """
    if key not in AS_OF_MATTERS:
        return
    began = _run_began(context, now)
    problem = instant_problem(chain_started_at(context), began)
    if problem:
        raise WrongOrder(f"This run would count as of the wrong instant: {problem}. {START_AGAIN} ({AS_OF_TAG}).")
    tags = run_of(context).tags
    first, last = (tags.get(name) or tags.get(PARTITION_TAG) for name in (RANGE_START, RANGE_END))
    if first and last:
        problem = range_problem(first, last, WEEKLY.get_partition_keys(current_time=began))
        if problem:
            raise WrongOrder(f"This run covers weeks that it cannot read: {problem}. {START_AGAIN}.")


def weeks_of(context: dg.AssetExecutionContext) -> list[str]:
    """The weeks of this run, by their Mondays, ascending.

    Raises:
        WrongOrder: it was started without any.
    """
    all_weeks = WEEKLY.get_partition_keys(current_time=chain_started_at(context))
    weeks = weeks_to_read(chosen_weeks(context), all_weeks, whole_chain=run_of(context).job_name == CHAIN)
    if not weeks:
        raise WrongOrder(
            "This run has no weeks, so there is nothing to read. Choose partitions when you launch it in the UI, or "
            "run lms-assets run enrollments_incremental"
        )
    return weeks


def chosen_weeks(context: dg.AssetExecutionContext) -> list[str]:
    """The weeks chosen at the launch, which Dagster records as materialised; empty when none was."""
    some = context.has_partition_key or context.has_partition_key_range
    return list(context.partition_keys) if some else []


def _run_began(context: dg.AssetExecutionContext, now: datetime) -> datetime:
    """When this run began, so that a long run is judged alike in its first step and in its last."""
    record = context.instance.get_run_record_by_id(run_of(context).run_id)
    if record is None or record.start_time is None:
        return now
    return now - timedelta(seconds=max(0.0, time.time() - record.start_time))
