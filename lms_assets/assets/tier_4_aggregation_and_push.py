"""Tier 4: what partners' people hold, and what the CRM is told. `partner_cert_counts`, `pushed_partner_cert_counts`."""

# No postponed annotations: Dagster reads the type of `context` from the function itself.

from typing import Any

import dagster as dg

from lms_assets.assets.clocks import compare_clocks
from lms_assets.assets.counting import Counting
from lms_assets.assets.define import asset_of
from lms_assets.assets.push import Push
from lms_assets.assets.red_gates import stop_at_red_gates
from lms_assets.assets.step import sync_step
from lms_assets.domain.run_instants import not_before
from lms_assets.resources import Connections
from lms_assets.warehouse.counts import last_counted
from lms_assets.warehouse.plausibility import remember_pushed_total
from lms_assets.warehouse.sync import SyncCounts


@asset_of("partner_cert_counts", table="partners")
def partner_cert_counts(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Count every active partner at one instant, and keep the day's counts for the reports.

    The instant is the chain's start, or that of the newest counting where a resumed chain began before it.
    """
    with sync_step(context, lms, "partner_cert_counts") as step:
        stop_at_red_gates(step)
        compare_clocks(step, lms)
        with step.warehouse.read() as connection:
            counted = last_counted(connection)
        counting = Counting(step, not_before(step.chain_started_at, counted.as_of if counted else None, step.now))
        step.write(counting.write, details={"as_of": counting.at.isoformat()})
        return step.result(len(counting.counts), **counting.figures())


@asset_of("pushed_partner_cert_counts", table="pushed_partner_counts")
def pushed_partner_cert_counts(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Send the CRM what differs from what it last confirmed, read it back, and remember what it refused."""
    with sync_step(context, lms, "pushed_partner_cert_counts") as step:
        settings = lms.settings()
        push = Push(step, portal_url=settings.portal_url)
        items, partners = push.planned.items, push.planned.partners
        if settings.push_dry_run:
            step.write(lambda _: SyncCounts(), details={"dry_run": True, "differing": len(items)})
            return step.result(partners, dry_run=True, differing=len(items), differences=push.as_table(items))
        stop_at_red_gates(step)
        compare_clocks(step, lms)
        with lms.impartner() as client:
            push.refuse_sudden_fall(client, items)
            step.note_uses()
            push.send(client, items)
            step.used(client.http)
        step.on_commit(lambda connection: remember_pushed_total(connection, now=step.now))
        counts = SyncCounts(updated=len(push.confirmed), unchanged=partners - len(items))
        details = {"dry_run": False, "differing": len(items), "failed": len(push.failures)}
        step.write(lambda _: counts, failures=push.failures, details=details)
        return step.result(partners, dry_run=False, differing=len(items), **push.figures(items))
