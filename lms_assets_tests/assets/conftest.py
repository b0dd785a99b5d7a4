from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lms_assets.sandbox.server.server import SandboxHandle, running_sandbox
from lms_assets_tests.harness.chain import SMALL, ChainRig
from lms_assets_tests.harness.saved import Saved


@pytest.fixture
def sandbox() -> Iterator[SandboxHandle]:
    """A small world of one's own."""
    with running_sandbox(SMALL) as running:
        yield running


@pytest.fixture
def rig(sandbox: SandboxHandle, tmp_path: Path) -> Iterator[ChainRig]:
    """A chain that has not run yet."""
    made = ChainRig(tmp_path, sandbox)
    yield made
    made.close()


@pytest.fixture(scope="session")
def after_first_chain(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """What one chain over the small world leaves behind."""
    with running_sandbox(SMALL) as running:
        made = ChainRig(tmp_path_factory.mktemp("first"), running)
        result = made.run()
        assert result.success, result.errors
        saved = Saved.of(made)
        made.close()
        return saved


@pytest.fixture
def synced(rig: ChainRig, after_first_chain: Saved) -> ChainRig:
    """A chain that has run once, four hours ago."""
    after_first_chain.restore(rig)
    rig.advance(hours=4)
    return rig
