"""Fixtures for whatever runs by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lms_assets_tests.automation.daemon_harness import DaemonHarness, watched_harness


@pytest.fixture
def harness(quick_folder: Path) -> Iterator[DaemonHarness]:
    """A small vendor state, its warehouse and its Dagster, nothing run yet."""
    with watched_harness(quick_folder) as made:
        yield made
