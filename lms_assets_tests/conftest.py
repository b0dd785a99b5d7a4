"""Fixtures that all tests may use: a warehouse on SQLite and on MariaDB, each test with a database of its own."""

from __future__ import annotations

import gc
import itertools
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import text

from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.migrations.data_steps import seed_category_rules
from lms_assets.warehouse.schema.tables import metadata
from lms_assets_tests.harness.folders import temporary_folder
from lms_assets_tests.harness.mariadb import MariaDbServer, find_programs
from lms_assets_tests.harness.shared import share_in
from lms_assets_tests.harness.templates import empty_sqlite

# One worker gets the whole of a module; these take longest, and whoever begins one last keeps the other waiting.
LONGEST = (
    "automation/test_daemon_in_production.py",
    "faults/test_database.py",
    "end_to_end/test_demo.py",
    "automation/test_recovery.py",
    "assets/test_evidence.py",
    "automation/test_alerts.py",
    "faults/test_matrix.py",
    "deploy/test_package.py",
    "console/test_resume.py",
    "automation/test_blocking_checks.py",
    "assets/test_withheld.py",
    "end_to_end/test_chain_equals_the_oracle.py",
    "reports/test_sending.py",
    "assets/test_crm_deactivations.py",
    "warehouse/test_adoption.py",
    "reports/test_in_a_browser.py",
    "automation/test_sensors.py",
    "console/test_bad_configuration.py",
    "console/test_every_command.py",
    "automation/test_healthy_week.py",
    "end_to_end/test_recount_equals_the_oracle.py",
    "automation/test_timetable.py",
)
# A normal run looks at the same examples every time; `make properties` looks at others.
settings.register_profile("fixed", derandomize=True, database=None)
settings.register_profile("random", derandomize=False, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))

_NO_MARIADB = "MariaDB's server is not installed (apt-get install mariadb-server): nothing was tried on it"
_names = (f"test_{number}" for number in itertools.count(1))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules with whole chains before the others, the longest before all; within a module as it is written."""
    here = Path(__file__).parent
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    place = {here / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: (place.get(item.path, len(LONGEST)), item.path not in slow))


def pytest_collection_finish() -> None:
    """Look for garbage seldom, and never again in what was imported: 5 % of a chain's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)


@pytest.fixture(scope="session", autouse=True)
def _shared_by_workers(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is made once serves all of pytest-xdist's workers: they are told of the folder that holds all of theirs."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        share_in(tmp_path_factory.getbasetemp().parent)


def require_mariadb() -> None:
    """Skip the test when there is no MariaDB; in CI, where nothing may be left out, fail it."""
    if find_programs() is None:
        if os.environ.get("CI") == "true":
            pytest.fail(_NO_MARIADB)
        pytest.skip(_NO_MARIADB)


@pytest.fixture(scope="session")
def _mariadb_of_session() -> Iterator[Callable[[], MariaDbServer]]:
    """One server a worker process, started by the first test that wants it."""
    servers: list[MariaDbServer] = []

    def server() -> MariaDbServer:
        if not servers:
            servers.append(MariaDbServer())
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


@pytest.fixture(scope="session")
def _mariadb_reused(_mariadb_of_session: Callable[[], MariaDbServer]) -> Callable[[], str]:
    """A MariaDB warehouse that tests empty for each other, since making 28 tables takes a second."""
    made: list[str] = []

    def url() -> str:
        server = _mariadb_of_session()
        if not made:
            made.append(server.url("reused"))
            server.execute("CREATE DATABASE reused CHARACTER SET utf8mb4")
            Warehouse(made[0]).upgrade()
        return made[0]

    return url


@pytest.fixture
def ready_mariadb_url(mariadb: MariaDbServer, _mariadb_reused: Callable[[], str]) -> str:
    """A MariaDB warehouse with its tables and nothing in them but the seeds; one test at a time has it."""
    made = Warehouse(_mariadb_reused(), lock_wait_seconds=5)
    with made.transaction() as connection:
        connection.execute(text("SET FOREIGN_KEY_CHECKS = 0"))
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
        connection.execute(text("SET FOREIGN_KEY_CHECKS = 1"))
        seed_category_rules(connection)
    made.close()
    return _mariadb_reused()


@pytest.fixture(params=["sqlite", "mariadb"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Warehouse]:
    """A warehouse of each kind with its tables and nothing in them but the seeds."""
    if request.param == "sqlite":
        path = tmp_path / "warehouse.db"
        path.write_bytes(empty_sqlite())
        made = Warehouse(f"sqlite:///{path}", lock_wait_seconds=5)
    else:
        made = Warehouse(request.getfixturevalue("ready_mariadb_url"), lock_wait_seconds=5)
    yield made
    made.close()


@pytest.fixture
def now() -> datetime:
    """The instant at which a test plays; whole seconds, as the database keeps them."""
    return datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


@pytest.fixture
def quick_folder() -> Iterator[Path]:
    """An empty folder, in memory where there is one."""
    with temporary_folder() as folder:
        yield folder
