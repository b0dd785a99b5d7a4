"""Fixtures for whatever runs by itself."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lms_assets_tests.automation.rig import WatchedRig, watched_rig


@pytest.fixture
def quick_folder() -> Iterator[Path]:
    """An empty folder, in memory where there is one: SQLite waits for the disk at every event otherwise."""
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="lms-orch-", dir=shared if shared.is_dir() else None))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def rig(quick_folder: Path) -> Iterator[WatchedRig]:
    """A small world, its warehouse and its Dagster, nothing run yet."""
    with watched_rig(quick_folder) as made:
        yield made
