"""Tier 3: who has learned what. `enrollments`, partitioned by week of activity."""

# No postponed annotations: Dagster reads the type of `context` from the function itself.

from typing import Any

import dagster as dg

from lms_assets.assets.define import asset_of
from lms_assets.assets.enrollment_sync import EnrollmentSync
from lms_assets.assets.red_gates import stop_at_red_gates
from lms_assets.assets.run_order import chosen_weeks, weeks_of
from lms_assets.assets.step import sync_step
from lms_assets.resources import Connections
from lms_assets.warehouse import reading


@asset_of("enrollments", table="lms_enrollments", backfill_policy=dg.BackfillPolicy.single_run())
def enrollments(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Read the transcripts of the partners' people and write their enrollments.

    Over the trailing days only those who need it are read, over any other weeks everybody. Without a partition there
    is nothing to read, and the run fails instead of passing in silence.
    """
    with sync_step(context, lms, "enrollments") as step:
        stop_at_red_gates(step)
        sync = EnrollmentSync(step, weeks_of(context))
        with lms.northpass() as client:
            sync.read(client)
            step.used(client.http)
        step.write(sync.write, failures=sync.failures, complete=False, right=sync.right_ids(), details=sync.details)
        for week in chosen_weeks(context):
            context.add_asset_metadata(sync.figures_of_weeks[week], partition_key=week)
        with step.warehouse.read() as connection:
            total = reading.row_count(connection, "lms_enrollments")
        return step.result(total, **sync.figures())
