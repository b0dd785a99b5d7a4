"""Production's dagster.yaml, a real daemon, a real MariaDB: runs wait in concurrency groups; a machine stops.

One story in one test, since a daemon and a chain take many seconds: two runs of one concurrency group are queued,
everything is killed in the first one's middle, a new daemon has to find out by itself, and then serves a terminal.
With processes of their own for the steps it takes twice the processor time; those are killed in test_recovery.py, too.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from lms_assets.lineage import DAILY_FULL, NORTHPASS_POOL
from lms_assets_tests.automation.production import (
    Production,
    Status,
    child_of,
    done,
    queued,
    same_as_undisturbed,
    status,
)
from lms_assets_tests.harness.commands import Commands

pytestmark = pytest.mark.slow
SHOWN_BY_THE_JOBS_PAGE = {".dagster/repository": "__repository__@lms_assets"}
STARTED_BY_THE_DAEMON = ".dagster/grpc_info"


def happened(instance: dg.DagsterInstance, run_id: str, *kinds: str) -> list[int]:
    """How often each kind of event was stored for a run."""
    seen = Counter(entry.dagster_event_type for entry in instance.all_logs(run_id))
    return [seen[dg.DagsterEventType(kind)] for kind in kinds]


def times(instance: dg.DagsterInstance, run_id: str) -> tuple[float, float]:
    record = instance.get_run_record_by_id(run_id)
    assert record is not None
    assert record.start_time is not None
    assert record.end_time is not None
    return record.start_time, record.end_time


@pytest.mark.parametrize(
    "production", ["in_process", pytest.param("multiprocess", marks=pytest.mark.long)], indirect=True
)
def test_concurrency_groups_hold_and_a_chain_on_a_stopped_machine_is_continued(
    production: Production, quick_folder: Path
):
    now = datetime.now(UTC)
    with dg.DagsterInstance.from_config(str(production.commands.home)) as instance:
        chain, second = queued(instance, now)
        production.start()
        production.wait_until(
            lambda: (row := production.chain) is not None and row.current_step == "enrollments", every=0.05
        )
        assert status(instance, second) == Status.QUEUED, "two runs of one concurrency group take turns"
        production.stop_the_machine()
        assert status(instance, chain) == Status.STARTED, "nobody has told Dagster"
        pool = instance.event_log_storage.get_concurrency_info(NORTHPASS_POOL)
        assert pool.active_run_ids == {chain}
        before = done(production.chain)
        assert before >= set(DAILY_FULL[: DAILY_FULL.index("enrollments")])

        production.start()
        production.wait_until(lambda: status(instance, chain) == Status.FAILURE)
        production.wait_until(lambda: (row := production.chain) is not None and row.status == "failed")
        told = production.chain
        assert told is not None
        assert told.error_message == "enrollments: the process ended without a result (killed, or the machine stopped)"

        production.wait_until(lambda: (child := child_of(instance, chain)) is not None and child.is_finished)
        production.wait_until(lambda: status(instance, second).value in {"SUCCESS", "FAILURE"})
        child = child_of(instance, chain)
        assert child is not None
        assert (child.status, status(instance, second)) == (Status.SUCCESS, Status.SUCCESS)
        (one_from, one_to), (other_from, other_to) = times(instance, child.run_id), times(instance, second)
        assert one_to <= other_from or other_to <= one_from, "two runs of one concurrency group went at once"
        for run_id in (chain, second, child.run_id):
            assert happened(instance, run_id, "PIPELINE_ENQUEUED", "PIPELINE_STARTING") == [1, 1], "all pass the queue"
        steps = instance.all_logs(child.run_id, of_type=dg.DagsterEventType.STEP_START)
        began = {entry.step_key for entry in steps}
        assert began & set(DAILY_FULL) == set(DAILY_FULL) - before, "what was done is not done again"
        assert instance.event_log_storage.get_concurrency_info(NORTHPASS_POOL).active_slot_count == 0
        refuse_other_ways_from_a_terminal(production.commands, instance)
    same_as_undisturbed(production, quick_folder)


def refuse_other_ways_from_a_terminal(commands: Commands, instance: dg.DagsterInstance) -> None:
    """What a terminal asks for goes through the daemon, unless the terminal's settings are others."""
    handed = commands.run("run", "cleanup")
    assert handed.returncode == 0, handed.stdout + handed.stderr
    assert "Dagster's daemon runs it" in handed.stdout
    here = commands.run("run", "cleanup", LMS_PUSH_DRY_RUN="1")
    assert here.returncode == 0, here.stdout + here.stderr
    assert "other settings than this terminal" in here.stdout, "a dry run stays a dry run"
    runs = instance.get_runs(dg.RunsFilter(job_name="cleanup", tags=SHOWN_BY_THE_JOBS_PAGE))
    assert [STARTED_BY_THE_DAEMON in run.tags for run in runs] == [False, True]
