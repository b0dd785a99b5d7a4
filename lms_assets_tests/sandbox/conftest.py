"""A sandbox for reading that all tests share, and one of its own for each test that changes something."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lms_assets.sandbox import SandboxHandle, running_sandbox
from lms_assets_tests.sandbox.callers import Caller, settings


@pytest.fixture(scope="package")
def shared_sandbox() -> Iterator[SandboxHandle]:
    with running_sandbox(settings()) as handle:
        yield handle


@pytest.fixture
def reader(shared_sandbox: SandboxHandle) -> Iterator[Caller]:
    """For tests that change nothing, neither data nor faults."""
    with Caller(shared_sandbox) as caller:
        yield caller


@pytest.fixture
def caller() -> Iterator[Caller]:
    """A sandbox of the test's own."""
    with running_sandbox(settings()) as handle, Caller(handle) as found:
        yield found
