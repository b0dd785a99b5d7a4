"""One step at a time for each vendor: the limits of the pools, made by name.

With a default limit alone Dagster makes a pool's limit at its first use, and that first use can slip through.
"""

from __future__ import annotations

import dagster as dg

from lms_assets.lineage import IMPARTNER_POOL, NORTHPASS_POOL

POOL_LIMIT = 1


def ensure_pool_limits(instance: dg.DagsterInstance) -> None:
    """Set the limit of each pool that has none of its own yet; one that somebody set stays."""
    storage = instance.event_log_storage
    if not storage.supports_global_concurrency_limits:
        return
    known = {each.name for each in storage.get_pool_limits() if not each.from_default}
    for pool in (NORTHPASS_POOL, IMPARTNER_POOL):
        if pool not in known:
            storage.set_concurrency_slots(pool, POOL_LIMIT)
