"""Where a chain has come to, to go on from there again and again."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lms_assets_tests.harness.chain import ChainHarness


@dataclass(frozen=True)
class Saved:
    """Where a chain on SQLite has come to: its database, and what it left in the sandbox's CRM."""

    database: bytes
    accounts: Mapping[int, Any]
    at: datetime

    @classmethod
    def of(cls, harness: ChainHarness) -> Saved:
        """As it is now; nothing may be running."""
        harness.warehouse.close()
        return cls(
            (harness.folder / "warehouse.db").read_bytes(), deepcopy(harness.sandbox.vendor_state.accounts), harness.now
        )

    def restore(self, harness: ChainHarness) -> None:
        """Put a harness, whose sandbox has the same seed, where the saved one was."""
        harness.warehouse.close()
        (harness.folder / "warehouse.db").write_bytes(self.database)
        harness.sandbox.vendor_state.accounts = deepcopy(dict(self.accounts))
        harness.sandbox.vendor_state.touched("accounts")
        harness.sandbox.mutate("clock", to=self.at.strftime("%Y-%m-%dT%H:%M:%SZ"))
