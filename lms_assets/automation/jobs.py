"""The jobs: which assets run together, and which checks of earlier tiers stand before them."""

from __future__ import annotations

from typing import Any

import dagster as dg

from lms_assets.checks.catalogue import gates_of
from lms_assets.lineage import DAILY_FULL
from lms_assets.run_tags import JOB_TAG

# Twice at most, and from the failed asset: a failed blocking check then fetches its data again.
RETRIED = {
    "dagster/max_retries": "2",
    "dagster/retry_strategy": "FROM_ASSET_FAILURE",
    "dagster/retry_on_asset_or_op_failure": "true",
}


def _job(name: str, assets: tuple[str, ...], description: str, *, tags: dict[str, str] | None = None) -> Any:
    """A job of these assets with their own checks, and the gates of every asset before them."""
    selection: dg.AssetSelection = dg.AssetSelection.assets(*assets)
    for gate in gates_of(assets):
        selection = selection | dg.AssetSelection.checks(gate)
    return dg.define_asset_job(name, selection=selection, description=description, tags={JOB_TAG: name, **(tags or {})})


JOBS = [
    _job(
        "daily_full",
        DAILY_FULL,
        "The whole chain, tier 1 to 4, over all weeks.",
        tags=RETRIED,
    ),
    _job(
        "enrollments_incremental",
        ("enrollments", "partner_cert_counts"),
        "Learning records of people who were active, and the counts that follow.",
    ),
    _job(
        "push_to_impartner",
        ("partner_cert_counts", "pushed_partner_cert_counts"),
        "Counts anew and sends the CRM what changed.",
    ),
]
