"""Re-evaluates upstream blocking checks inside the step; a run of one asset started by hand bypasses them."""

from __future__ import annotations

from lms_assets.assets.sync_run import Step
from lms_assets.checks.base import Look, failed_blocking_checks
from lms_assets.domain.operations.schedule import CHAIN
from lms_assets.domain.safety.deactivation_limit import SyncStopped
from lms_assets.lineage import ancestors


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
