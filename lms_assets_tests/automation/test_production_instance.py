"""The dagster.yaml of production on a real MariaDB: everything it promises is what the instance then does."""

from __future__ import annotations

import os
import shutil
import signal
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from lms_assets.automation.jobs import JOBS
from lms_assets.run_tags import CONCURRENCY_GROUP_TAG, JOB_TAG
from lms_assets.runs import dagster_storage
from lms_assets_tests.architecture import source
from lms_assets_tests.automation.production import mysql_variables
from lms_assets_tests.harness.mariadb import MariaDbServer


@pytest.fixture
def home(tmp_path: Path, mariadb_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in mysql_variables(mariadb_url).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    shutil.copyfile(source.ROOT / "dagster.yaml", tmp_path / "dagster.yaml")
    return tmp_path


def test_it_keeps_its_state_in_the_database_that_the_environment_names(home: Path):
    with dg.DagsterInstance.get() as instance:
        assert type(instance.run_storage).__module__.startswith("dagster_mysql")
        assert instance.run_monitoring_enabled
        assert instance.run_monitoring_max_runtime_seconds == timedelta(hours=4).total_seconds()
        assert instance.run_retries_enabled
        assert instance.run_retries_max_retries == 0, "only jobs that say so are run again by themselves"
        assert instance.event_log_storage.supports_global_concurrency_limits
        limits = instance.get_concurrency_config().run_queue_config
        assert limits is not None
        assert {(each["key"], each["limit"]) for each in limits.tag_concurrency_limits} == {
            (JOB_TAG, 1),
            (CONCURRENCY_GROUP_TAG, 1),
        }
        assert all(each["value"] == {"applyLimitPerUniqueValue": True} for each in limits.tag_concurrency_limits)


def test_a_database_that_falls_silent_is_given_up(home: Path, mariadb: MariaDbServer, monkeypatch: pytest.MonkeyPatch):
    """As one does that loses its power: no connection is closed, and no answer comes."""
    monkeypatch.setattr(dagster_storage, "ANSWER_SECONDS", 1)
    monkeypatch.setattr(dagster_storage, "CONNECT_SECONDS", 1)
    with dg.DagsterInstance.get() as instance:
        assert instance.get_runs_count() == 0
        os.kill(mariadb.pid, signal.SIGSTOP)
        try:
            with pytest.raises(Exception, match=r"timed out|not available|Lost connection"):
                instance.run_storage.get_runs_count()
        finally:
            os.kill(mariadb.pid, signal.SIGCONT)
        assert instance.get_runs_count() == 0, "it is asked again as soon as it is back"
        mariadb.stop()
        try:
            with pytest.raises(Exception, match="Can't connect"):
                instance.run_storage.get_runs_count()
        finally:
            mariadb.start()
        assert instance.get_runs_count() == 0, "and no connection is left from before"


def test_a_variable_that_is_missing_is_named(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("DAGSTER_MYSQL_PASSWORD")
    with pytest.raises(Exception, match="DAGSTER_MYSQL_PASSWORD"):
        dg.DagsterInstance.get()


def test_every_job_carries_the_tags_that_the_queue_looks_at():
    for job in JOBS:
        tags = dict(job.tags or {})
        assert tags[JOB_TAG] == job.name
        assert tags[CONCURRENCY_GROUP_TAG]


def test_the_demo_queues_as_production_does():
    import yaml

    demo = yaml.safe_load((source.PACKAGE / "console" / "commands" / "demo_dagster.yaml").read_text(encoding="utf-8"))
    production = yaml.safe_load((source.ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    assert (
        demo["concurrency"]["runs"]["tag_concurrency_limits"]
        == production["concurrency"]["runs"]["tag_concurrency_limits"]
    )
    assert demo["concurrency"]["pools"] == production["concurrency"]["pools"]
