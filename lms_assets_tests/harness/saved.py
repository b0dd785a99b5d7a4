"""Where a chain has come to, to go on from there again and again."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lms_assets_tests.harness.chain import ChainRig


@dataclass(frozen=True)
class Saved:
    """Where a chain on SQLite has come to: its database, and what it left in the sandbox's CRM."""

    database: bytes
    accounts: Mapping[int, Any]
    at: datetime

    @classmethod
    def of(cls, rig: ChainRig) -> Saved:
        """As it is now; nothing may be running."""
        rig.warehouse.close()
        return cls((rig.folder / "warehouse.db").read_bytes(), deepcopy(rig.sandbox.world.accounts), rig.now)

    def restore(self, rig: ChainRig) -> None:
        """Put a rig, whose sandbox has the same seed, where the saved one was."""
        rig.warehouse.close()
        (rig.folder / "warehouse.db").write_bytes(self.database)
        rig.sandbox.world.accounts = deepcopy(dict(self.accounts))
        rig.sandbox.world.touched("accounts")
        rig.sandbox.mutate("clock", to=self.at.strftime("%Y-%m-%dT%H:%M:%SZ"))
