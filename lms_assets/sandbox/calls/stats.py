"""What the sandbox counted: calls, refusals, writes. Holds no keys and no bodies."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

_CALLS_KEPT = 2000


class Stats:
    """Counters since the start or the last reset, and the latest calls."""

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.patch_records = 0
        self.patch_fields: Counter[str] = Counter()
        self.latest: deque[dict[str, Any]] = deque(maxlen=_CALLS_KEPT)
        self.arrivals: list[tuple[float, str, str, str, int, int]] = []

    def arrived(self, vendor: str, endpoint: str) -> None:
        """A call came in, whatever becomes of it."""
        self.calls[vendor, endpoint] += 1

    def answered(self, entry: dict[str, Any]) -> None:
        """A call ended; `entry` has vendor, endpoint, path, query, status, at, faults."""
        self.statuses[entry["vendor"], entry["status"]] += 1
        self.latest.append(entry)

    def patched(self, fields: list[str]) -> None:
        """One record of a PATCH arrived with these fields (without the id)."""
        self.patch_records += 1
        self.patch_fields.update(fields)

    def of_vendor(self, vendor: str) -> dict[str, Any]:
        """Calls by endpoint and answers by status of one vendor."""
        calls = {endpoint: count for (name, endpoint), count in sorted(self.calls.items()) if name == vendor}
        statuses = {str(status): count for (name, status), count in sorted(self.statuses.items()) if name == vendor}
        return {"calls": sum(calls.values()), "by_endpoint": calls, "by_status": statuses}
