from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lms_assets.sandbox.server.server import SandboxHandle, running_sandbox
from lms_assets_tests.harness.chain import SMALL, ChainHarness
from lms_assets_tests.harness.checkpoints import after_first_chain


@pytest.fixture
def sandbox() -> Iterator[SandboxHandle]:
    """A small vendor state of one's own."""
    with running_sandbox(SMALL) as running:
        yield running


@pytest.fixture
def harness(sandbox: SandboxHandle, tmp_path: Path) -> Iterator[ChainHarness]:
    """A chain that has not run yet."""
    made = ChainHarness(tmp_path, sandbox)
    yield made
    made.close()


@pytest.fixture
def synced(harness: ChainHarness) -> ChainHarness:
    """A chain that has run once, four hours ago."""
    after_first_chain().restore(harness)
    harness.advance(hours=4)
    return harness
