"""`lms_offboarding_plan`: who should leave which LMS group, and why. A plan for people to review; nothing is sent."""

# No postponed annotations: Dagster reads the type of `context` from the function itself.

from collections import Counter
from typing import Any

import dagster as dg

from lms_assets.assets.asset import asset_of
from lms_assets.assets.offboarding.facts import Facts, refuse_old_data
from lms_assets.assets.sync_run import sync_step
from lms_assets.domain.safety.offboarding import plan_id
from lms_assets.resources import WarehouseResource
from lms_assets.warehouse.state.offboarding_plans import write_plan
from lms_assets.warehouse.upsert.upsert import SyncCounts

SHOWN = 20


@asset_of("lms_offboarding_plan")
def lms_offboarding_plan(context: dg.AssetExecutionContext, warehouse: WarehouseResource) -> dg.MaterializeResult[Any]:
    """Write a new plan from what the last complete syncs say; an unreviewed older one is superseded by it."""
    with sync_step(context, warehouse, "lms_offboarding_plan") as step:
        with step.warehouse.read() as connection:
            refuse_old_data(connection, step.now)
            removals = Facts.of(connection, step.rules).removals()
        reasons = Counter(each.reason for each in removals)
        digest = plan_id(removals)

        def work(connection: Any) -> SyncCounts:
            summary = {"removals": len(removals), "people": len({each.user_id for each in removals})}
            step.metadata["plan"] = write_plan(connection, removals, digest=digest, summary=summary, now=step.now)
            return SyncCounts(created=len(removals))

        step.write(work, details={"facts_digest": digest, "removals": len(removals)})
        return step.result(
            len(removals),
            facts_digest=digest,
            people=len({each.user_id for each in removals}),
            reasons=[f"{reason}: {count}" for reason, count in reasons.most_common(SHOWN)],
        )
