"""How long a test waits for a condition before it calls it lost: far beyond what a busy machine needs."""

from __future__ import annotations

import time
from collections.abc import Callable

LONGEST_SECONDS = 600
"""A test waits for conditions, never for a time; this end only keeps a lost one from waiting forever."""


def comes_about(holds: Callable[[], bool], seconds: float = LONGEST_SECONDS, every: float = 0.1) -> bool:
    """Wait for a condition, asking `every` so many seconds; False when it has not come about by the end."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True
