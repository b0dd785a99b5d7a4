"""Both vendors, served locally with made-up data. Imports nothing of the product.

`running_sandbox` for tests, `serve` for the command line, `build_vendor_state` for an oracle's view of the data.
"""

from __future__ import annotations

from lms_assets.sandbox.config import IMPARTNER_KEY, IMPARTNER_TENANT, NORTHPASS_KEY, SandboxConfig
from lms_assets.sandbox.seeding.build import build_vendor_state
from lms_assets.sandbox.server.app import create_app
from lms_assets.sandbox.server.server import SandboxHandle, introduction, running_sandbox, serve
from lms_assets.sandbox.state.vendor_state import VendorState

__all__ = [
    "IMPARTNER_KEY",
    "IMPARTNER_TENANT",
    "NORTHPASS_KEY",
    "SandboxConfig",
    "SandboxHandle",
    "VendorState",
    "build_vendor_state",
    "create_app",
    "introduction",
    "running_sandbox",
    "serve",
]
