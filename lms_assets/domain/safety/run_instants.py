"""At which instant a run may count. What a launch, an old tick or a resumed chain asks for is judged here.

Pure: times come in as arguments, all UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

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
