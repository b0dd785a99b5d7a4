"""A minute without the database under production's webserver and daemon: no hang, no lost run, no error unexplained.

What `make test` keeps of it: test_production_instance.py asks the storage alone while its server is away.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from lms_assets_tests.automation.production import (
    Production,
    Status,
    child_of,
    errors_in,
    queued,
    same_as_undisturbed,
    shown_runs,
    status,
    unexplained,
)
from lms_assets_tests.harness.mariadb import MariaDbServer, free_port
from lms_assets_tests.harness.waits import comes_about

pytestmark = [pytest.mark.slow, pytest.mark.long]
AWAY_SECONDS = 60
A_DAEMONS_PARTS = ("SENSOR", "SCHEDULER", "QUEUED_RUN_COORDINATOR", "MONITORING", "EVENT_LOG_CONSUMER")


def test_a_minute_without_it_loses_no_run_and_leaves_nothing_broken(
    production: Production, mariadb: MariaDbServer, quick_folder: Path
):
    port = free_port()
    with dg.DagsterInstance.from_config(str(production.commands.home)) as instance:
        chain, second = queued(instance, datetime.now(UTC))
        production.serve(port)
        production.start()
        production.wait_until(lambda: shown_runs(port) == {chain, second})
        production.wait_until(
            lambda: (row := production.chain) is not None and row.current_step == "enrollments", every=0.05
        )
        assert status(instance, second) == Status.QUEUED
        assert errors_in(production.log.read_text()) == []

        mariadb.stop()
        try:
            answered = comes_about(lambda: shown_runs(port) is not None, seconds=AWAY_SECONDS, every=1)
            assert not answered, "an answer that no database gave"
        finally:
            mariadb.start()
        back = datetime.now(UTC).timestamp()

        assert comes_about(lambda: shown_runs(port) is not None), "the webserver does not answer again"
        production.wait_until(lambda: all_beat_since(instance, back))
        production.wait_until(lambda: status(instance, chain).value in {"SUCCESS", "FAILURE"})
        if status(instance, chain) == Status.FAILURE:
            production.wait_until(lambda: (child := child_of(instance, chain)) is not None and child.is_finished)
        production.wait_until(lambda: status(instance, second).value in {"SUCCESS", "FAILURE"})
        assert status(instance, second) == Status.SUCCESS
        runs = instance.get_runs()
        assert all(run.is_finished for run in runs), {run.run_id: run.status for run in runs}
        assert {run.run_id for run in runs} == shown_runs(port)
    same_as_undisturbed(production, quick_folder)
    assert unexplained(production.log.read_text()) == set()


def all_beat_since(instance: dg.DagsterInstance, moment: float) -> bool:
    """Has each part of the daemon gone round since a moment?"""
    beats = instance.get_daemon_heartbeats()
    return all(part in beats and beats[part].timestamp > moment for part in A_DAEMONS_PARTS)
