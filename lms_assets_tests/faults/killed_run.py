"""A run that kills its own process at its n-th write, as a machine that stops would; started by `chaos`."""

from __future__ import annotations

import json
import os
import signal
import sys
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from lms_assets_tests.harness.chain import ChainHarness

WRITES = ("INSERT", "UPDATE", "DELETE", "COMMIT")


def main() -> int:
    """0: went through, 1: failed. Killed otherwise."""
    order = json.loads(sys.argv[1])
    now = datetime.fromisoformat(order["now"])
    clock = SimpleNamespace(now=lambda: now)
    sandbox: Any = SimpleNamespace(
        northpass_url=order["northpass"], impartner_url=order["impartner"], sandbox=SimpleNamespace(clock=clock)
    )
    harness = ChainHarness(Path(order["folder"]), sandbox, order["url"])
    left = order["at"]

    @event.listens_for(Engine, "before_cursor_execute")
    def count(_: Any, __: Any, statement: str, *___: Any) -> None:
        nonlocal left
        if statement.lstrip()[:6].upper() in WRITES:
            left -= 1
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return 0 if harness.run(order["job"]).success else 1


if __name__ == "__main__":
    raise SystemExit(main())
