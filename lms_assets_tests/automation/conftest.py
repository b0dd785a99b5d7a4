"""Fixtures for whatever runs by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lms_assets.sandbox.server.server import running_sandbox
from lms_assets_tests.automation.daemon_harness import DaemonHarness, watched_harness
from lms_assets_tests.automation.production import CONFIG, Production
from lms_assets_tests.harness.mariadb import MariaDbServer


@pytest.fixture
def harness(quick_folder: Path) -> Iterator[DaemonHarness]:
    """A small vendor state, its warehouse and its Dagster, nothing run yet."""
    with watched_harness(quick_folder) as made:
        yield made


@pytest.fixture
def production(
    request: pytest.FixtureRequest, mariadb: MariaDbServer, quick_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Production]:
    """An installation with its databases and its sandbox; nothing started yet. The parameter says where steps run."""
    executor = getattr(request, "param", "multiprocess")
    with ExitStack() as stack:
        sandbox = stack.enter_context(running_sandbox(CONFIG))
        urls = [stack.enter_context(mariadb.fresh_database(name)) for name in ("daemons_dagster", "daemons_portal")]
        made = Production(quick_folder, sandbox, *urls, executor=executor)
        stack.callback(made.close)
        for name, value in made.commands.environment.items():
            if name.startswith(("DAGSTER_", "LMS_")):
                monkeypatch.setenv(name, value)
        yield made
