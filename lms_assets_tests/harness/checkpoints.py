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

from lms_assets.sandbox.server.server import running_sandbox
from lms_assets_tests.harness.chain import SMALL, ChainHarness
from lms_assets_tests.harness.folders import temporary_folder


def in_memory(path: Path) -> sqlite3.Connection:
    """A SQLite database as it is now, what others have open of it included."""
    copy = sqlite3.connect(":memory:")
    with closing(sqlite3.connect(path)) as file:
        file.backup(copy)
    return copy


def put_back(copy: sqlite3.Connection, path: Path) -> None:
    """Let a database hold again what it held then; whoever has it open sees that."""
    with closing(sqlite3.connect(path)) as file:
        copy.backup(file)


@dataclass(frozen=True)
class Saved:
    """Where a chain on SQLite has come to: its database, and what it left in the sandbox's CRM."""

    database: sqlite3.Connection
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
        put_back(self.database, harness.folder / "warehouse.db")
        harness.sandbox.vendor_state.accounts = deepcopy(dict(self.accounts))
        harness.sandbox.vendor_state.touched("accounts")
        harness.sandbox.mutate("clock", to=self.at.strftime("%Y-%m-%dT%H:%M:%SZ"))


@functools.cache
def after_first_chain() -> Saved:
    """What one chain over the small vendor state leaves behind; made once a process."""
    with temporary_folder() as folder, running_sandbox(SMALL) as running:
        made = ChainHarness(folder, running)
        result = made.run()
        assert result.success, result.errors
        saved = Saved.of(made)
        made.close()
        return saved
