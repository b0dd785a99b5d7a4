"""Fixtures for whatever runs by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lms_assets_tests.automation.rig import WatchedRig, watched_rig


@pytest.fixture
def rig(quick_folder: Path) -> Iterator[WatchedRig]:
    """A small world, its warehouse and its Dagster, nothing run yet."""
    with watched_rig(quick_folder) as made:
        yield made
