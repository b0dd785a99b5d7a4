"""Whether this machine's clock may be believed, and at which instant a run may count. Pure: times come in, all UTC.

The clock is compared with what the vendors' answers say the time is. What a launch, an old tick or a resumed chain asks
for is judged here, too.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lms_assets.domain.safety.deactivation_limit import SyncStopped
from lms_assets.domain.schedule import CHAIN

OLDEST = timedelta(hours=24)
# The machine that starts a run and the one that does its work may differ by a little.
CLOCKS_DIFFER = timedelta(minutes=1)


def parse_as_of(text: str) -> datetime:
    """The instant that a run's tag names.

    Raises:
        ValueError: no instant, or one without a time zone.
    """
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError("no time zone")
    return instant.astimezone(UTC)


def instant_problem(instant: datetime, began: datetime) -> str | None:
    """Why a run that began at `began` must not count as of `instant`; None when it may."""
    if instant > began + CLOCKS_DIFFER:
        return f"{_text(instant)} is after the start of this run ({_text(began)})"
    if began - instant > OLDEST:
        hours = (began - instant) / timedelta(hours=1)
        return f"{_text(instant)} is {hours:,.0f} hours before the start of this run; at most 24 are allowed"
    return None


def not_before(instant: datetime, newest: datetime | None, now: datetime) -> datetime:
    """The instant, but never before the newest that is stored: a resumed chain is older than what was done since.

    `newest` in the future of `now` was made by a wrong clock and does not bind.
    """
    if newest is None or newest > now:
        return instant
    return max(instant, newest)


def _text(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"


TOLERANCE = timedelta(minutes=5)


class ClockDiffers(SyncStopped):
    """This machine's clock and a vendor's are too far apart to count as of now."""


def require_same_time(vendor: str, seconds_ahead: float | None) -> None:
    """Raise `ClockDiffers` when a vendor's clock and this machine's are more than five minutes apart.

    Args:
        seconds_ahead: how far the vendor is ahead, below 0 for behind; None when its answers did not say.
    """
    if seconds_ahead is None or abs(seconds_ahead) <= TOLERANCE.total_seconds():
        return
    ahead = "behind" if seconds_ahead > 0 else "ahead of"
    apart = timedelta(seconds=round(abs(seconds_ahead)))
    raise ClockDiffers(
        f"This machine's clock is {apart} {ahead} {vendor}'s. More than {TOLERANCE} apart, nothing is written, counted "
        f"or pushed. Set the clock (NTP), then start a new run: lms-assets run {CHAIN}, without --resume."
    )
