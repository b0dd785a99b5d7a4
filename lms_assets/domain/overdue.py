"""Which assets are overdue by their cadence. The UI's freshness policies (lineage) say the same of each asset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from lms_assets.domain.timetable import DAILY_FULL, REPORTS, Line


@dataclass(frozen=True, slots=True)
class Cadence:
    """How often an asset must come through: within `grace` of each tick of `line`, or at least once a `window`."""

    job: str
    line: Line | None = None
    grace: timedelta = timedelta(0)
    window: timedelta | None = None

    def overdue_since(self, completed_at: datetime, now: datetime) -> datetime | None:
        """Since when an asset last synced at `completed_at` is overdue; None while it is not. All UTC."""
        if self.window is not None:
            limit = completed_at + self.window
            return limit if now > limit else None
        if self.line is None:
            return None
        tick = self.line.last_until(now - self.grace)
        return tick + self.grace if completed_at < tick else None


NIGHTLY = Cadence("daily_full", DAILY_FULL, timedelta(hours=3))
FOUR_HOURLY = Cadence("enrollments_incremental", window=timedelta(hours=10))
THRICE_DAILY = Cadence("leads_incremental", window=timedelta(hours=14))
MONDAYS = Cadence("weekly_reports", REPORTS, timedelta(hours=2))


@dataclass(frozen=True, slots=True)
class Overdue:
    """Assets of one job that are overdue, the first of them since `since` (UTC)."""

    job: str
    assets: tuple[str, ...]
    since: datetime


def find_overdue(
    completed: Mapping[str, datetime], cadences: Mapping[str, Cadence], now: datetime
) -> tuple[Overdue, ...]:
    """Overdue assets, together by the job that should have brought them.

    Args:
        completed: when each asset last came through; one that never did is not there, and not overdue: its first run
            tells by itself how it went.
    """
    late: dict[str, list[tuple[datetime, str]]] = {}
    for asset, cadence in cadences.items():
        since = cadence.overdue_since(completed[asset], now) if asset in completed else None
        if since is not None:
            late.setdefault(cadence.job, []).append((since, asset))
    return tuple(Overdue(job, tuple(asset for _, asset in found), min(found)[0]) for job, found in late.items())
