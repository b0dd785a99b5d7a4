"""How far a vendor's clock is from this machine's, from the `Date` header that every answer carries."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from datetime import datetime

from lms_assets.vendors.transport.retries import http_date

KEPT = 1000


class ClockComparison:
    """Collects comparisons of one client; safe for use by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._offsets: deque[float] = deque(maxlen=KEPT)

    def note(self, headers: Mapping[str, str], now: datetime) -> None:
        """Compare one answer's `Date` (and the `Age` that a cache adds) with `now`, aware; without one nothing.

        Args:
            headers: those of the answer.
        """
        date = http_date(headers.get("Date") or "")
        if date is None:
            return
        age = (headers.get("Age") or "").strip()
        seconds = (date - now).total_seconds() + (float(age[:9]) if age.isascii() and age.isdigit() else 0.0)
        with self._lock:
            self._offsets.append(seconds)

    @property
    def seconds_ahead(self) -> float | None:
        """How far the vendor is ahead of this machine, below 0 for behind; None without any `Date`.

        The median of the answers, so that one odd answer says nothing.
        """
        with self._lock:
            found = sorted(self._offsets, key=abs)
        return found[(len(found) - 1) // 2] if found else None
