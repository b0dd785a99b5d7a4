"""The tests' own MariaDB: nothing is left out in silence."""

from __future__ import annotations

import pytest

from lms_assets_tests import conftest
from lms_assets_tests.harness.mariadb import MariaDbServer


def test_without_mariadb_its_tests_are_skipped_with_the_package_to_install(monkeypatch):
    monkeypatch.setattr(conftest, "find_programs", lambda: None)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install mariadb-server"):
        conftest.require_mariadb()


def test_without_mariadb_its_tests_fail_in_ci(monkeypatch):
    monkeypatch.setattr(conftest, "find_programs", lambda: None)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="nothing was tried"):
        conftest.require_mariadb()


def test_a_server_that_was_killed_starts_again_on_its_data(mariadb: MariaDbServer):
    mariadb.execute("CREATE DATABASE IF NOT EXISTS kept", "CREATE TABLE IF NOT EXISTS kept.a (id INTEGER)")
    first = mariadb.pid
    mariadb.kill()
    mariadb.start()
    assert mariadb.pid != first
    mariadb.execute("DROP TABLE kept.a", "DROP DATABASE kept")
