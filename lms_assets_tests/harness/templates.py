"""An empty warehouse on SQLite to be copied: making its tables takes a second."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from lms_assets.warehouse.engine import Warehouse


@functools.cache
def empty_sqlite() -> bytes:
    """A SQLite warehouse with its tables and nothing in them but the seeds; made once a process, and for its forks."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "warehouse.db"
        made = Warehouse(f"sqlite:///{path}")
        made.upgrade()
        made.close()
        return path.read_bytes()
