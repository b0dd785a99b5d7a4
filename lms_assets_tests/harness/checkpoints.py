"""Where a chain has come to, to go on from there again and again."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text

from lms_assets.sandbox.server.server import running_sandbox
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.schema.tables import metadata
from lms_assets_tests.harness.chain import SMALL, ChainHarness
from lms_assets_tests.harness.folders import temporary_folder
from lms_assets_tests.harness.shared import made_once


def in_memory(path: Path) -> bytes:
    """A SQLite database as it is now, what others have open of it included."""
    with closing(sqlite3.connect(path)) as file:
        pages = file.serialize()
    # Its journal is a file beside it, says its header, and one in memory has none.
    return pages[:18] + b"\x01\x01" + pages[20:]


def put_back(saved: bytes, path: Path) -> None:
    """Let a database hold again what it held then; whoever has it open sees that."""
    with closing(sqlite3.connect(":memory:")) as copy, closing(sqlite3.connect(path)) as file:
        copy.deserialize(saved)
        copy.backup(file)


@dataclass(frozen=True)
class Saved:
    """Where a chain on SQLite has come to: its database, and what it left in the sandbox's CRM."""

    database: bytes
    accounts: Mapping[int, Any]
    at: datetime

    @classmethod
    def of(cls, harness: ChainHarness) -> Saved:
        """As it is now; nothing may be running."""
        return cls(
            in_memory(harness.folder / "warehouse.db"), deepcopy(harness.sandbox.vendor_state.accounts), harness.now
        )

    def restore(self, harness: ChainHarness) -> None:
        """Put a harness, whose sandbox has the same seed, where the saved one was."""
        if harness.warehouse.is_sqlite:
            put_back(self.database, harness.folder / "warehouse.db")
        else:
            _copy_rows(self.database, harness.warehouse)
        harness.sandbox.vendor_state.accounts = deepcopy(dict(self.accounts))
        harness.sandbox.vendor_state.touched("accounts")
        harness.sandbox.mutate("clock", to=self.at.strftime("%Y-%m-%dT%H:%M:%SZ"))


def _copy_rows(saved: bytes, warehouse: Warehouse) -> None:
    """Let a warehouse on a server hold the rows of one on SQLite, and no other."""
    with temporary_folder() as folder:
        (folder / "saved.db").write_bytes(saved)
        source = Warehouse(f"sqlite:///{folder / 'saved.db'}")
        with source.read() as old, warehouse.transaction() as new:
            new.execute(text("SET FOREIGN_KEY_CHECKS = 0"))
            for table in metadata.sorted_tables:
                new.execute(table.delete())
                if rows := [dict(row._mapping) for row in old.execute(table.select())]:
                    new.execute(table.insert(), rows)
            new.execute(text("SET FOREIGN_KEY_CHECKS = 1"))
        source.close()


@functools.cache
def after_first_chain() -> Saved:
    """What one chain over the small vendor state leaves behind."""
    return made_once("after_first_chain", _first_chain)


def _first_chain() -> Saved:
    with temporary_folder() as folder, running_sandbox(SMALL) as running:
        made = ChainHarness(folder, running)
        result = made.run()
        assert result.success, result.errors
        saved = Saved.of(made)
        made.close()
        return saved
