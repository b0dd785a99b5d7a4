"""Which failed chains Dagster runs again by itself: those in which a failed step may go through the next time.

Dagster decides when a run's failure is stored (`auto_reexecution_should_retry_run`), from tags of the run. So each
failed step sets the tag while its run still goes on, in its own process, after its failure was stored.
"""

# No postponed annotations: Dagster reads the type of `context` from the function itself.

import dagster as dg

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
