from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lms_assets.sandbox.server.server import SandboxHandle, running_sandbox
from lms_assets_tests.harness.chain import SMALL, ChainHarness
from lms_assets_tests.harness.checkpoints import Saved


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


@pytest.fixture(scope="session")
def after_first_chain(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """What one chain over the small vendor state leaves behind."""
    with running_sandbox(SMALL) as running:
        made = ChainHarness(tmp_path_factory.mktemp("first"), running)
        result = made.run()
        assert result.success, result.errors
        checkpoints = Saved.of(made)
        made.close()
        return checkpoints


@pytest.fixture
def synced(harness: ChainHarness, after_first_chain: Saved) -> ChainHarness:
    """A chain that has run once, four hours ago."""
    after_first_chain.restore(harness)
    harness.advance(hours=4)
    return harness
