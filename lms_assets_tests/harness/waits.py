"""How long a test waits for a condition before it calls it lost: far beyond what a busy machine needs."""

from __future__ import annotations

import time
from collections.abc import Callable

LONGEST_SECONDS = 600
"""A test waits for conditions, never for a time; this end only keeps a lost one from waiting forever."""


def comes_about(holds: Callable[[], bool], seconds: float = LONGEST_SECONDS) -> bool:
    """Wait for a condition; False when it has not come about by the end."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
