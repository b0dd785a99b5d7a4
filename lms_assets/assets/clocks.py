"""The clocks compared before partners are counted or pushed: these steps ask no vendor by themselves."""

from __future__ import annotations

from lms_assets.assets.sync_run import Step
from lms_assets.lineage import POOLS, SYNC_TYPES
from lms_assets.resources import ImpartnerResource
from lms_assets.warehouse.bookkeeping import sync_log


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
