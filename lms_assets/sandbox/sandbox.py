"""The running sandbox's state: vendor state, clock, limits, counters, faults. Handlers and control both work on it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from lms_assets.sandbox.calls.rate_limit import SlidingSecond
from lms_assets.sandbox.calls.stats import Stats
from lms_assets.sandbox.config import SandboxConfig
from lms_assets.sandbox.faults.switchboard import FaultBoard
from lms_assets.sandbox.state.factory import Factory
from lms_assets.sandbox.state.timestamps import Clock
from lms_assets.sandbox.state.vendor_state import VendorState

_MOST_KEPT = 256
T = TypeVar("T")


class Sandbox:
    """One sandbox. Its parts are public: tests in the same process may look at all of them."""

    def __init__(self, config: SandboxConfig, vendor_state: VendorState) -> None:
        self.config = config
        self.vendor_state = vendor_state
        self.clock = Clock(config.now)
        self.date_shift = 0.0
        self.limits = {
            "northpass": SlidingSecond(config.northpass_rps),
            "impartner": SlidingSecond(config.impartner_rps),
        }
        self.stats = Stats()
        self.faults = FaultBoard(config.seed)
        self.rejecting_accounts: set[int] = set(config.rejecting_accounts)
        self.factory = Factory(vendor_state, random.Random(f"{config.seed}/changes"), config.reference_time)
        self.jitter = random.Random(f"{config.seed}/jitter")
        self._turn = 0
        self._kept: dict[Any, tuple[tuple[int, ...], Any]] = {}

    def kept(self, key: Any, collections: Sequence[str], make: Callable[[], T]) -> T:
        """`make()`'s result, kept until one of these collections of the vendor state is touched."""
        found = self.recall(key, collections)
        return self.keep(key, self.revisions(collections), make()) if found is None else cast("T", found)

    def recall(self, key: Any, collections: Sequence[str]) -> Any | None:
        """What was kept under `key`, None when there is nothing or its collections changed since."""
        found = self._kept.get(key)
        return found[1] if found is not None and found[0] == self.revisions(collections) else None

    def keep(self, key: Any, revisions: tuple[int, ...], value: T) -> T:
        """Keep `value`, made at these revisions, under `key`; the oldest entry goes when there are too many."""
        self._kept.pop(key, None)
        if len(self._kept) >= _MOST_KEPT:
            self._kept.pop(next(iter(self._kept)))
        self._kept[key] = (revisions, value)
        return value

    def revisions(self, collections: Sequence[str]) -> tuple[int, ...]:
        """How often each collection changed: take it before reading them over several turns of the event loop."""
        return tuple(self.vendor_state.revisions[name] for name in collections)

    def next_turn(self) -> int:
        """A number that differs by call: listings without an order start elsewhere each time."""
        self._turn += 1
        return self._turn

    def reset_stats(self) -> None:
        """Start counting again."""
        self.stats = Stats()
        for limit in self.limits.values():
            limit.reset_counters()

    def summary(self) -> dict[str, Any]:
        """The counters as JSON-ready data; `throttled` is the number of 429 sent by the rate limit."""
        vendors = {
            name: self.stats.of_vendor(name)
            | {"throttled": limit.refused, "most_in_one_second": limit.most_in_one_second}
            for name, limit in self.limits.items()
        }
        writes = {
            "patch_records": self.stats.patch_records,
            "patch_fields": dict(sorted(self.stats.patch_fields.items())),
        }
        return vendors | writes
