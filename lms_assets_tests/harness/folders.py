"""Folders in memory, where the machine has such: SQLite waits for a disk at every event, MariaDB at every table."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOM = 2**30
"""Bytes that must be free there."""


def in_memory() -> str | None:
    """The place for such folders when there is one with room; None leaves the choice to the system."""
    shared = Path("/dev/shm")
    usable = shared.is_dir() and os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > ROOM
    return str(shared) if usable else None


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """An empty folder, in memory if possible, that is gone afterwards whatever is left in it."""
    folder = Path(tempfile.mkdtemp(prefix="lms-", dir=in_memory()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
