"""Fixtures that all tests may use: a warehouse on SQLite and on MariaDB, each test with a database of its own."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lms_assets.warehouse.engine import Warehouse
from lms_assets_tests.support.mariadb import MariaDbServer, find_programs

_NO_MARIADB = "MariaDB's server is not installed (apt-get install mariadb-server): nothing was tried on it"
_names = (f"test_{number}" for number in itertools.count(1))


def require_mariadb() -> None:
    """Skip the test when there is no MariaDB; in CI, where nothing may be left out, fail it."""
    if find_programs() is None:
        if os.environ.get("CI") == "true":
            pytest.fail(_NO_MARIADB)
        pytest.skip(_NO_MARIADB)


@pytest.fixture(scope="session")
def _mariadb_of_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], MariaDbServer]]:
    """One server a worker process, started by the first test that wants it."""
    servers: list[MariaDbServer] = []

    def server() -> MariaDbServer:
        if not servers:
            servers.append(MariaDbServer(tmp_path_factory.mktemp("mariadb")))
            servers[0].create()
        return servers[0]

    yield server
    for each in servers:
        each.remove()


@pytest.fixture
def mariadb(_mariadb_of_session: Callable[[], MariaDbServer]) -> MariaDbServer:
    """The running server that tests share; whoever stops it starts it again."""
    require_mariadb()
    return _mariadb_of_session()


@pytest.fixture
def mariadb_url(mariadb: MariaDbServer) -> Iterator[str]:
    """A fresh, empty MariaDB database."""
    with mariadb.fresh_database(next(_names)) as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'warehouse.db'}"


@pytest.fixture(params=["sqlite", "mariadb"])
def warehouse_url(request: pytest.FixtureRequest) -> str:
    """A fresh, empty database of each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def warehouse(warehouse_url: str) -> Iterator[Warehouse]:
    """A fresh warehouse of each kind, with its tables."""
    made = Warehouse(warehouse_url, lock_wait_seconds=5)
    made.upgrade()
    yield made
    made.close()


@pytest.fixture
def now() -> datetime:
    """The instant at which a test plays; whole seconds, as the database keeps them."""
    return datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
