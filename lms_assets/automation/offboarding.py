"""The job `offboarding_apply`: carries out one reviewed plan, named by its id. Off until a limit a day is set."""

# No postponed annotations: Dagster reads the type of `context` from the function itself.

import dagster as dg

from lms_assets.assets.offboarding.apply import Applied, finish, plan_removals, send_batch
from lms_assets.assets.offboarding.recheck import Known, Recheck
from lms_assets.domain.safety.deactivation_limit import SyncStopped
from lms_assets.domain.safety.offboarding import without_changed
from lms_assets.domain.schedule import APPLY_JOB
from lms_assets.lineage import NORTHPASS_POOL
from lms_assets.registry import LEARNING_ROWS
from lms_assets.resources import ImpartnerResource, NorthpassResource, WarehouseResource
from lms_assets.run_tags import CONCURRENCY_GROUP_TAG, JOB_TAG, OFFBOARDING_PLAN_TAG
from lms_assets.runs.execution import IN_PROCESS
from lms_assets.runs.write_locks import Turn
from lms_assets.warehouse.state.offboarding_plans import items_of

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
