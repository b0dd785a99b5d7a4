"""Whether a daemon serves this code location now, and would do the same as this process: then it can run a job for it.

One of the daemon's sensors shows it: its ticks show that daemon and code server live, its cursor with which settings.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

import dagster as dg

from lms_assets.settings import Settings

SENSOR = "chains_without_process_sensor"
# It ticks every 30 seconds; a busy machine may be late.
TICKS_WITHIN = timedelta(minutes=2)


@dataclass(frozen=True)
class Served:
    """The code location as Dagster's pages know it; `settings` is the daemon's fingerprint, `at` its last tick."""

    origin: Any
    settings: str
    at: datetime

    def lives(self, now: datetime) -> bool:
        """Whether the daemon was there a moment ago."""
        return now - self.at < TICKS_WITHIN


def fingerprint(settings: Settings) -> str:
    """Equal for two processes that would do the same to the same systems; the settings cannot be read from it."""
    return blake2b(repr(sorted(asdict(settings).items())).encode(), digest_size=16).hexdigest()


def served_location(instance: dg.DagsterInstance) -> Served | None:
    """What the sensor left the last time; None when no daemon has ever served this code location."""
    found = []
    for state in instance.all_instigator_state():
        if state.instigator_name != SENSOR or not state.is_running:
            continue
        for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1):
            cursor = getattr(state.instigator_data, "cursor", None)
            at = datetime.fromtimestamp(tick.timestamp, UTC)
            found.append(Served(state.origin.repository_origin, cursor or "", at))
    return max(found, key=lambda each: each.at, default=None)
