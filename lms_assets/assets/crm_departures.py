"""`crm_departures`: partners and contacts that left the CRM since the last look, hours before the nightly full sync."""

# No postponed annotations: Dagster reads the type of `context` from the function itself.

from typing import Any

import dagster as dg

from lms_assets.assets.define import asset_of
from lms_assets.assets.departure_sync import DepartureSync
from lms_assets.assets.step import sync_step
from lms_assets.resources import Connections
from lms_assets.warehouse import reading


@asset_of("crm_departures", table="partners")
def crm_departures(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Deactivate partners and contacts that were deleted, became inactive or fell under a rule since the last look.

    It adds nobody and changes no other field: who comes back is linked to groups and accounts by the nightly chain.
    """
    with sync_step(context, lms, "crm_departures") as step:
        sync = DepartureSync(step)
        with lms.impartner() as client:
            sync.read(client)
            step.used(client.http)
        step.write(sync.write, complete=sync.complete, details=sync.details)
        with step.warehouse.read() as connection:
            active = reading.row_count(connection, "partners", active_only=True)
        return step.result(active, **sync.figures())
