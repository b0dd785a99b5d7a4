"""The job `offboarding_apply`: carries out one reviewed plan, named by its id. Off until a limit a day is set."""

# No postponed annotations: Dagster reads the type of `context` from the function itself.

import dagster as dg

from lms_assets.assets.offboarding_run import OffboardingRun
from lms_assets.domain.deletions import SyncStopped
from lms_assets.lineage import NORTHPASS_POOL
from lms_assets.resources import Connections
from lms_assets.run_tags import JOB_TAG, LANE_TAG, OFFBOARDING_PLAN_TAG


class ApplyPlan(dg.Config):
    """Which plan; 0 leaves it to the run's tag `lms/offboarding_plan`."""

    plan: int = 0


@dg.op(pool=NORTHPASS_POOL)
def apply_offboarding_plan(context: dg.OpExecutionContext, config: ApplyPlan, lms: Connections) -> None:
    """Send what the plan and the day allow; what fails or is left stays open for the next application."""
    plan_id = config.plan or int(context.run.tags.get(OFFBOARDING_PLAN_TAG, "0"))
    with lms.warehouse() as warehouse:
        run = OffboardingRun(warehouse, lms.rules(), plan_id, now=lms.now())
        try:
            batches = run.batches()
        except SyncStopped as refused:
            raise dg.Failure(str(refused), allow_retries=False) from refused
        with lms.northpass() as client:
            for batch in batches:
                run.send(client, batch)
                context.log.info(f"Plan {plan_id}: {run.done:,} removals done, {run.left:,} left")
        run.finish()
    context.add_output_metadata({"plan": plan_id, "removed": run.done, "left": run.left})


@dg.job(
    name="offboarding_apply",
    description="Takes people out of LMS groups as a reviewed plan says. Off until a limit a day is set.",
    tags={JOB_TAG: "offboarding_apply", LANE_TAG: "learning"},
)
def offboarding_apply() -> None:
    """One step."""
    apply_offboarding_plan()
