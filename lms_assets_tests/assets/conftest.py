from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lms_assets.sandbox.server import SandboxHandle, running_sandbox
from lms_assets_tests.support.chain import SMALL, ChainRig


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


@pytest.fixture
def synced(rig: ChainRig) -> ChainRig:
    """A chain that has run once, four hours ago."""
    first = rig.run()
    assert first.success, first.errors
    rig.advance(hours=4)
    return rig
