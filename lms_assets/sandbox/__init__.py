"""Both vendors, served locally with made-up data. Imports nothing of the product.

`running_sandbox` for tests, `serve` for the command line, `build_world` for an oracle's view of the data.
"""

from __future__ import annotations

from lms_assets.sandbox.config import IMPARTNER_KEY, IMPARTNER_TENANT, NORTHPASS_KEY, SandboxConfig
from lms_assets.sandbox.server.app import create_app
from lms_assets.sandbox.server.server import SandboxHandle, introduction, running_sandbox, serve
from lms_assets.sandbox.state.build import build_world
from lms_assets.sandbox.state.world import World

__all__ = [
    "IMPARTNER_KEY",
    "IMPARTNER_TENANT",
    "NORTHPASS_KEY",
    "SandboxConfig",
    "SandboxHandle",
    "World",
    "build_world",
    "create_app",
    "introduction",
    "running_sandbox",
    "serve",
]
