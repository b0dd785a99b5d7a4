"""The environments in which tests run the product: nothing of this process's own but what starts a program."""

from __future__ import annotations

import os
from pathlib import Path

from lms_assets.sandbox.config import IMPARTNER_KEY, NORTHPASS_KEY
from lms_assets.sandbox.server.server import SandboxHandle

ROOT = Path(__file__).resolve().parents[2]
# By these `make coverage` follows into the processes that tests start.
FOLLOWED = ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG", "COVERAGE_CORE")


def of_a_process(home: Path, **more: str) -> dict[str, str]:
    """What any process of the product needs, with a home of its own and no colours in what it prints."""
    followed = {name: os.environ[name] for name in FOLLOWED if name in os.environ}
    return {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(home), "NO_COLOR": "1", **followed, **more
    }  # fmt: skip


def of_the_product(sandbox: SandboxHandle, warehouse_url: str, dagster_home: Path) -> dict[str, str]:
    """The product's variables: both vendors played by a sandbox, a warehouse, Dagster's home."""
    return {
        "NORTHPASS_BASE_URL": sandbox.northpass_url,
        "NORTHPASS_API_KEY": NORTHPASS_KEY,
        "NORTHPASS_REQUESTS_PER_SECOND": "1000",
        "IMPARTNER_BASE_URL": sandbox.impartner_url,
        "IMPARTNER_API_KEY": IMPARTNER_KEY,
        "IMPARTNER_REQUESTS_PER_SECOND": "1000",
        "LMS_WAREHOUSE_URL": warehouse_url,
        "LMS_PORTAL_URL": "https://portal.example.com",
        "DAGSTER_HOME": str(dagster_home),
    }
