"""Points in time as the vendors write them, and calendar months. Everything is zone-aware UTC; no clock."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

EARLIEST_YEAR = 1900
LATEST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)

_SHAPE = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt ](?P<time>[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,12})?)?)"
    r" ?(?P<zone>[Zz]|UTC|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)


def parse_utc(value: Any) -> datetime | None:
    """The instant that a vendor's text names; None for None and blank text.

    - `2020-03-31T17:15:17Z` (Northpass API, transport), with offset or fraction, with a blank for the `T`;
    - without zone it is UTC (Impartner API, transport); a date alone is its midnight in UTC;
    - an instant after the year 9999 once in UTC is `LATEST`: such dates mean "never";
    - a `datetime` goes through, a naive one as UTC.

    Raises `ValueError` for every other type (numbers too), an impossible date or time, and years before 1900:
    `0001-01-01` is what some systems write for "no date", and it is no time at which anything was completed.
    The message does not repeat the text.
    """
    if value is None:
        return None
    if isinstance(value, datetime):
        return _in_utc(value)
    if not isinstance(value, str):
        raise ValueError("a date expected as text")
    text = value.strip()
    if not text:
        return None
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        raise ValueError("no date of the form 2020-03-31T17:15:17Z")
    zone = shape["zone"] or ""
    offset = "" if zone in ("", "Z", "z", "UTC") else zone
    try:
        moment = datetime.fromisoformat(f"{shape['day']}T{(shape['time'] or '00:00').replace(',', '.')}{offset}")
    except ValueError:
        raise ValueError("a date or time that the calendar does not have") from None
    return _in_utc(moment)


def harmless_date(value: Any) -> datetime | None:
    """Like `parse_utc`, but None for what cannot be read: for dates that decide nothing."""
    try:
        return parse_utc(value)
    except ValueError:
        return None


def changed_since(since: datetime) -> Callable[[Mapping[str, Any]], bool]:
    """Whether a CRM record fits the filter `Updated > since`; one without a readable `Updated` does.

    To the whole second, since the CRM's filter knows no fraction.
    """
    whole_second = since.replace(microsecond=0)

    def fits(record: Mapping[str, Any]) -> bool:
        changed = harmless_date(record.get("Updated"))
        return changed is None or changed >= whole_second

    return fits


def months_after(moment: datetime, months: int) -> datetime:
    """The same day and time `months` calendar months later; a day that the month lacks becomes its last one
    (29 February 2024 and 24 months: 28 February 2026). Beyond the year 9999 it is `LATEST`.
    """
    years, month = divmod(moment.month - 1 + months, 12)
    year, month = moment.year + years, month + 1
    if year > LATEST.year:
        return LATEST
    return min(moment.replace(year=year, month=month, day=min(moment.day, monthrange(year, month)[1])), LATEST)


def _in_utc(moment: datetime) -> datetime:
    if moment.year < EARLIEST_YEAR:
        raise ValueError(f"a date before the year {EARLIEST_YEAR}")
    try:
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        return LATEST
    return min(moment, LATEST)
