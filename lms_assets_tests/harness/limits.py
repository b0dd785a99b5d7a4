"""How long the product's clients and steps try in tests: as in production, only shorter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest import mock

import dagster as dg

from lms_assets.assets import run_order
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
"""Every bound of the product's clients, only shorter: three attempts within six seconds. For tests of slow answers."""

PATIENT = replace(
    QUICK,
    connect_seconds=30,
    read_seconds=60,
    answer_seconds=120,
    slot_seconds=120,
    retry=replace(QUICK.retry, total_seconds=240),
)
"""For everything else: on a busy machine an answer may take long and is still no fault."""


@contextmanager
def at_a_standing_clock() -> Iterator[None]:
    """For a run by a clock that stands still, however long it takes on a busy machine: it begins when it works."""
    with (
        # A step's retries are kept, the quarter of a minute before them is not.
        mock.patch.object(dg.RetryPolicy, "calculate_delay", return_value=0.0),
        mock.patch.object(run_order, "_run_began", lambda _, now: now),
    ):
        yield
