"""Whether this machine's clock may be believed: it is compared with what the vendors' answers say the time is."""

from __future__ import annotations

from datetime import timedelta

from lms_assets.domain.safety.deactivation_limit import SyncStopped
from lms_assets.domain.schedule import CHAIN

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
