"""How long the product's clients try in tests: as in production, only shorter."""

from __future__ import annotations

from lms_assets.vendors.transport.client import HttpLimits
from lms_assets.vendors.transport.retries import RetryPolicy

QUICK = HttpLimits(
    connect_seconds=2,
    read_seconds=1,
    answer_seconds=3,
    slot_seconds=10,
    retry=RetryPolicy(
        attempts=3,
        total_seconds=6,
        wait_initial=0.005,
        wait_max=0.01,
        wait_jitter=0.005,
        retry_after_max=0.01,
        hiccup_attempts=2,
        hiccup_wait=0.005,
    ),
)
"""Every bound of the product's clients, only shorter: three attempts within six seconds."""
