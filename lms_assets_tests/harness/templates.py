"""An empty warehouse on SQLite to be copied: making its tables takes a second."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from lms_assets.warehouse.engine import Warehouse
from lms_assets_tests.harness.shared import made_once


@functools.cache
def empty_sqlite() -> bytes:
    """A SQLite warehouse with its tables and nothing in them but the seeds."""
    return made_once("empty_sqlite", _made)


def _made() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "warehouse.db"
        made = Warehouse(f"sqlite:///{path}")
        made.upgrade()
        made.close()
        return path.read_bytes()
