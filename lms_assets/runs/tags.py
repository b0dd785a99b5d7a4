"""What tags decide of a run: the weeks that it covers, the overrides that it may use, and whether it is run again.

Weeks are built from the partitions' own keys: Dagster passes over wrong ones in silence. One tag names the overrides, a
token makes them valid, used by no other run.

Only failed chains are run again by Dagster itself in which a failed step may go through the next time. Dagster decides
when a run's failure is stored (`auto_reexecution_should_retry_run`). So each failed step sets the tag while its run
still goes on, in its own process, after its failure was stored.
"""

# No postponed annotations: Dagster reads the type of `context` from the function itself.

from collections.abc import Collection
from datetime import UTC, datetime

import dagster as dg

from lms_assets.asset_specs import WEEKLY
from lms_assets.domain.safety.deactivation_limit import SyncStopped
from lms_assets.domain.safety.overrides import Overrides, as_tag, from_tag, parse_overrides
from lms_assets.domain.schedule import TRAILING_DAYS, range_problem, weeks_of_last_days
from lms_assets.run_tags import ALLOW_TAG, ALLOW_TOKEN_TAG, JOB_TAG, RANGE_END, RANGE_START
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.state.overrides import claim, issue


def full_range_tags(now: datetime) -> dict[str, str]:
    """Range tags over every weekly partition up to the running week; `now` is UTC."""
    keys = WEEKLY.get_partition_keys(current_time=now)
    return {RANGE_START: keys[0], RANGE_END: keys[-1]}


def trailing_days_tags(now: datetime, days: int) -> dict[str, str]:
    """Range tags over the weeks that the last `days` days touch; `now` is UTC.

    Raises:
        ValueError: that many days are not possible.
    """
    first, last = weeks_of_last_days(days, now.date(), WEEKLY.get_partition_keys(current_time=now))
    return {RANGE_START: first, RANGE_END: last}


def everybody_tags(now: datetime) -> dict[str, str]:
    """Range tags over the fewest weeks for which everybody's transcript is read (see `people_to_read`)."""
    return trailing_days_tags(now, TRAILING_DAYS + 7)


def partition_tags(key: str, now: datetime) -> dict[str, str]:
    """Range tags of one partition.

    Raises:
        ValueError: there is no such partition.
    """
    problem = range_problem(key, key, WEEKLY.get_partition_keys(current_time=now))
    if problem:
        raise ValueError(problem)
    return {RANGE_START: key, RANGE_END: key}


def allowing_tags(
    warehouse: Warehouse, names: Collection[str], *, by: str, run_id: str | None = None
) -> dict[str, str]:
    """Tags for a run that is started within half an hour: these overrides, and a new token for them.

    Args:
        by: who allows it; kept with each use.
        run_id: the run, where it is known before it exists: then a reader of its tags cannot use them.

    Raises:
        ValueError: there is no override of that name.
    """
    wanted = parse_overrides(names)
    if not wanted:
        return {}
    now = datetime.now(UTC)
    token = warehouse.in_transaction(lambda connection: issue(connection, wanted, by=by, now=now, run_id=run_id))
    return {ALLOW_TAG: as_tag(wanted), ALLOW_TOKEN_TAG: token}


class OverrideRefused(SyncStopped):
    """The run asks for an override and has no valid token for it."""


def overrides_of(instance: dg.DagsterInstance, run: dg.DagsterRun, warehouse: Warehouse, now: datetime) -> Overrides:
    """What this run was allowed; claims its token, which no other run can use from then on.

    A run that continues one with an override, by itself or in the UI, is allowed nothing and not refused.

    Raises:
        OverrideRefused: no token, an unknown or expired one, one of another run or for something else.
    """
    job = run.tags.get(JOB_TAG)
    if not run.tags.get(ALLOW_TAG):
        return Overrides(job=job)
    try:
        names = from_tag(run.tags[ALLOW_TAG])
    except ValueError as error:
        raise OverrideRefused(f"The tag {ALLOW_TAG} cannot be used: {error}") from error
    record = instance.get_run_record_by_id(run.run_id)
    created = record.create_timestamp.astimezone(UTC) if record else datetime.now(UTC)
    token = run.tags.get(ALLOW_TOKEN_TAG, "")
    claimed = warehouse.in_transaction(
        lambda connection: claim(connection, token, run_id=run.run_id, run_created_at=created, now=now)
    )
    if claimed.holder is not None and _chain_of(instance, claimed.holder) == (run.root_run_id or run.run_id):
        # A run that continues another one inherits its tags; what was allowed was for that one.
        return Overrides(job=job)
    missing = names - claimed.names
    if claimed.id is None or missing:
        problem = claimed.problem or f"its token does not allow {', '.join(sorted(missing))}"
        raise OverrideRefused(
            f"This run asks for {', '.join(sorted(names))}, but {problem}. Nothing was written. Start it with "
            f"lms-assets run JOB --allow WHAT, or take a new token: lms-assets allow {' '.join(sorted(names))}"
        )
    return Overrides(names, job, claimed.id)


def _chain_of(instance: dg.DagsterInstance, run_id: str) -> str:
    run = instance.get_run_by_id(run_id)
    return (run.root_run_id if run else None) or run_id


RETRY_ON_FAILURE_TAG = "dagster/retry_on_asset_or_op_failure"
MAX_RETRIES_TAG = "dagster/max_retries"
# Twice at most, and from the failed asset: a failed blocking check then fetches its data again.
RETRIED = {MAX_RETRIES_TAG: "2", "dagster/retry_strategy": "FROM_ASSET_FAILURE", RETRY_ON_FAILURE_TAG: "true"}
# Without a code location (a run from a terminal) Dagster announces that it will retry a run, and then cannot.
NEVER_RETRIED = {MAX_RETRIES_TAG: "0"}

AGAIN = "tried_again_by_itself"
# On a failure that stays until a person changes something; every other failure may be over the next time.
FINAL = {AGAIN: False}


@dg.failure_hook(name="retried_only_where_it_helps")
def retried_only_where_it_helps(context: dg.HookContext) -> None:
    """After each failed step: whether the run, should it fail, is run again."""
    mark_for_retry(context.instance, context.run_id)


def mark_for_retry(instance: dg.DagsterInstance, run_id: str) -> None:
    """Tag a run that goes on: tried again as soon as one of its failures may be over the next time.

    One that is final and one that is not: tried again, both, as the second may then go through and what waits for it.
    Only failures of steps are meant. A run whose process was killed is continued however its steps failed, and the tag
    of a run that is over is left alone: a step that outlived it does not count.
    """
    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished:
        return
    helps = _some_may_be_over(instance, run_id)
    _tag(instance, run_id, helps)
    # Another step may have failed between looking and writing, and its own tag stands before this one.
    if not helps and _some_may_be_over(instance, run_id):
        _tag(instance, run_id, True)


def _tag(instance: dg.DagsterInstance, run_id: str, helps: bool) -> None:
    instance.add_run_tags(run_id, {RETRY_ON_FAILURE_TAG: "true" if helps else "false"})


def _some_may_be_over(instance: dg.DagsterInstance, run_id: str) -> bool:
    failures = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    return any(not _is_final(entry.dagster_event) for entry in failures)


def _is_final(event: dg.DagsterEvent | None) -> bool:
    said = getattr(event.event_specific_data, "user_failure_data", None) if event else None
    value = said.metadata.get(AGAIN) if said else None
    return isinstance(value, dg.BoolMetadataValue) and value.value is False
