"""Re-evaluates upstream blocking checks inside the step; a run of one asset started by hand bypasses them."""

from __future__ import annotations

from functools import partial

from lms_assets.assets.sync_run import Step
from lms_assets.checks.base import Look
from lms_assets.checks.specs import failed_blocking_checks
from lms_assets.domain.safety.deactivation_limit import SyncStopped
from lms_assets.domain.schedule import CHAIN
from lms_assets.lineage import POOLS, SYNC_TYPES, ancestors
from lms_assets.resources import ImpartnerResource
from lms_assets.warehouse.bookkeeping import sync_log
from lms_assets.warehouse.results.counts import last_counted, note_recount, was_recounted


class BlockedByChecks(SyncStopped):
    """What this step builds on does not hold."""


def require_upstream_checks(step: Step) -> None:
    """Refuse to go on while a blocking check of anything before this asset does not hold.

    Raises:
        BlockedByChecks: names the checks and what they say.
    """
    with step.warehouse.read() as connection:
        look = Look(connection, step.rules, step.now, step.overrides)
        red = failed_blocking_checks(look, ancestors((step.key,)))
    if red:
        said = "; ".join(f"{name}: {text}" for name, text in red.items())
        raise BlockedByChecks(f"{step.key} was blocked. {said}. Run {CHAIN}, or see lms-assets status.")


def recount_once(step: Step) -> None:
    """Recount what is stored, unless the check of this run has: a push that somebody starts alone bypasses it.

    Which partners differ is noted, and the plan of the push leaves them out.
    """
    with step.warehouse.read() as connection:
        counted = last_counted(connection)
        if counted is None or was_recounted(connection, step.run_id):
            return
        from lms_assets.warehouse.reading.recount_comparison import recount_differences

        found = recount_differences(connection, step.rules, counted.as_of)
    step.warehouse.in_transaction(partial(note_recount, found=found, run_id=step.run_id, now=step.now))


def compare_clocks(step: Step, impartner: ImpartnerResource) -> None:
    """Ask the CRM for its time, unless another step of this chain has compared the clocks already.

    Raises:
        ClockDiffers: this machine's clock and the CRM's are too far apart.
        VendorError: the CRM cannot be asked.
    """
    with step.warehouse.read() as connection:
        completed = sync_log.last_completed(connection)
    # Every step that asks a vendor compares (`Step.used`), and completes only when the clocks agree.
    asking = (completed.get(SYNC_TYPES[asset]) for asset in POOLS)
    if any(each and each.api_calls_made and each.started_at >= step.chain_started_at for each in asking):
        return
    with impartner.client() as client:
        client.probe()
        step.used(client.http)
