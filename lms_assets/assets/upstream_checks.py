"""The gates once more, inside the step: whoever starts one asset by itself in the UI passes by the checks before it."""

from __future__ import annotations

from lms_assets.assets.sync_run import Step
from lms_assets.checks.base import Look, red_gates
from lms_assets.checks.specs import ancestors
from lms_assets.domain.safety.deactivation_limit import SyncStopped


class HeldBack(SyncStopped):
    """What this step builds on does not hold."""


def stop_at_red_gates(step: Step) -> None:
    """Refuse to go on while a blocking check of anything before this asset does not hold.

    Raises:
        HeldBack: names the checks and what they say.
    """
    with step.warehouse.read() as connection:
        look = Look(connection, step.rules, step.now, step.overrides)
        red = red_gates(look, ancestors((step.key,)))
    if red:
        said = "; ".join(f"{name}: {text}" for name, text in red.items())
        raise HeldBack(f"{step.key} was held back. {said}. Run daily_full, or see lms-assets status.")
