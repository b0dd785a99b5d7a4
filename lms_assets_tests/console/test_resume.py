"""`--resume` goes on after every way in which a chain fails, whether or not Dagster tried again by itself before."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from rich.console import Console

from lms_assets.automation.chain_log import ROOT_RUN_TAG, reconcile_chains
from lms_assets.console.running import run, runner
from lms_assets.console.running.run import RunOptions, _worked_off, resumed_order
from lms_assets.console.running.runner import CannotRun, RunOrder, execute
from lms_assets.lineage import DAILY_FULL
from lms_assets_tests.assets.test_resumed_chains import counted_as_of, somebody, staged
from lms_assets_tests.automation.daemon_harness import DaemonHarness, one_row, watched_harness
from lms_assets_tests.harness.agreement import differences
from lms_assets_tests.harness.chain import quick_definitions

IN_PROCESS = {**runner.QUIET, "execution": {"config": {"in_process": {}}}}

# What the UI asks for on the page of a job, and where it asks for a job's last state.
SHOWN_BY_THE_JOBS_PAGE = dg.RunsFilter(job_name="daily_full", tags={".dagster/repository": "__repository__@lms_assets"})


@pytest.fixture
def harness(quick_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DaemonHarness]:
    """Runs of a terminal in this process; the chain's clock stands still, so no chain is too old."""
    monkeypatch.setattr(runner, "load_job", lambda name: quick_definitions().resolve_job_def(name))
    monkeypatch.setattr(runner.load_job, "__name__", "load_job", raising=False)
    monkeypatch.setattr(runner, "QUIET", IN_PROCESS)
    monkeypatch.setattr(run, "OLDEST", run.OLDEST * 10_000)
    with watched_harness(quick_folder) as made:
        yield made


def a_step_raises(harness: DaemonHarness) -> Callable[[], None]:
    harness.sandbox.faults.add("forbidden", "GET /people")
    return harness.sandbox.faults.reset


def a_blocking_check_fails(harness: DaemonHarness) -> Callable[[], None]:
    def certifications(count: str) -> None:
        with sqlite3.connect(harness.folder / "warehouse.db") as connection:
            connection.execute(
                "INSERT OR REPLACE INTO sync_state (name, value, updated_at) VALUES"
                " ('certifications_when_last_counted', ?, '2026-03-01 00:00:00')",
                (count,),
            )

    certifications("5000")
    return lambda: certifications("1")


def a_step_that_the_chain_can_do_without_fails(harness: DaemonHarness) -> Callable[[], None]:
    harness.sandbox.faults.add("forbidden", "GET /groups/{id}/memberships")
    return harness.sandbox.faults.reset


def tried_again_by_itself(harness: DaemonHarness, root: str) -> None:
    """What the daemon does: a run of the assets that did not come through, with the steps of those only."""
    row = one_row(harness, "task_chain_logs")
    left = tuple(step["step"] for step in row["steps_completed"] if step["status"] != "completed")
    tags = {ROOT_RUN_TAG: root, "dagster/parent_run_id": root, "dagster/retry_number": "1"}
    harness.run(assets=left, tags=tags)


def resumed(harness: DaemonHarness) -> tuple[RunOrder, bool]:
    with harness.surroundings({}):
        reconcile_chains(harness.instance, harness.warehouse)
        order = resumed_order(harness.instance, harness.warehouse)
        return order, execute(harness.instance, order, lambda _: None).success


def a_run_that_never_started(harness: DaemonHarness, root: str) -> None:
    """What a command leaves behind that was killed between making its run and beginning it."""
    definition = quick_definitions().resolve_job_def("daily_full")
    tags = {ROOT_RUN_TAG: root, "dagster/parent_run_id": root}
    harness.instance.create_run_for_job(definition, tags=tags, root_run_id=root, parent_run_id=root)


@pytest.mark.parametrize(
    ("fails", "retries"),
    [
        (a_step_raises, 1),
        (a_blocking_check_fails, 0),
        (a_step_that_the_chain_can_do_without_fails, 0),
        pytest.param(a_step_raises, 0, marks=pytest.mark.long),
        pytest.param(a_blocking_check_fails, 1, marks=pytest.mark.long),
        pytest.param(a_step_that_the_chain_can_do_without_fails, 1, marks=pytest.mark.long),
    ],
)
def test_it_goes_on_with_what_did_not_come_through(harness: DaemonHarness, fails: Callable[..., Any], retries: int):
    corrected = fails(harness)
    root = harness.run().run_id
    for _ in range(retries):
        tried_again_by_itself(harness, root)
        a_run_that_never_started(harness, root)
    before = one_row(harness, "task_chain_logs")
    assert before["status"] in {"failed", "partial"}
    corrected()
    order, success = resumed(harness)
    assert success
    row = one_row(harness, "task_chain_logs")
    assert (row["id"], row["status"]) == (before["id"], "completed")
    assert {step["step"]: step["status"] for step in row["steps_completed"]} == dict.fromkeys(DAILY_FULL, "completed")
    newest = harness.instance.get_runs(SHOWN_BY_THE_JOBS_PAGE, limit=1)
    assert [run.status for run in newest] == [dg.DagsterRunStatus.SUCCESS], (
        "the job's last state is not failed any more"
    )
    done = {step["step"] for step in before["steps_completed"] if step["status"] == "completed"}
    assert not done & set(order.steps), "what was done is not done again"


def test_a_resumed_chain_may_be_allowed_what_stopped_it(harness: DaemonHarness):
    harness.be_after("daily_full")
    harness.advance(hours=4)
    for row in [row for row in harness.rows("contacts") if row["is_active"]][:20]:
        harness.sandbox.mutate("delete_contact", contact=row["impartner_id"])
    assert not harness.run().success
    stopped = next(row for row in harness.rows("sync_logs") if row["status"] == "failed")
    command = "lms-assets run daily_full --resume --allow mass_deactivation:contacts"
    assert stopped["details"] == {"mass_deactivation_command": command}
    with harness.surroundings({}):
        allowed = RunOptions("daily_full", allow=("mass_deactivation:contacts",), resume=True, by="Ada", here=True)
        result, shown = _worked_off(allowed, harness.instance, harness.warehouse, Console(file=StringIO()))
    assert result.success
    assert shown[0] == "contacts"
    assert one_row(harness, "task_chain_logs")["status"] == "completed"
    assert one_row(harness, "sync_overrides")["issued_by"] == "Ada"


def test_what_dagster_itself_refuses_is_one_line_and_leaves_no_run(harness: DaemonHarness):
    assert harness.run(assets=("courses",)).success
    (root,) = harness.instance.get_runs()
    with pytest.raises(CannotRun) as refused, harness.surroundings({}):
        execute(harness.instance, RunOrder("daily_full", {}, root.run_id, ("no_such_step",)), lambda _: None)
    assert str(refused.value).startswith("Dagster could not run daily_full: DagsterExecutionStepNotFoundError: ")
    assert "\n" not in str(refused.value)
    assert harness.instance.get_runs() == [root]


def test_a_run_that_never_started_does_not_keep_its_chain_running(harness: DaemonHarness):
    root = harness.run(assets=("courses",)).run_id
    a_run_that_never_started(harness, root)
    with harness.warehouse.transaction() as connection:
        connection.exec_driver_sql("UPDATE task_chain_logs SET status = 'running', completed_at = NULL")
    assert reconcile_chains(harness.instance, harness.warehouse) == [root]
    assert one_row(harness, "task_chain_logs")["status"] == "failed"


def test_what_was_read_and_pushed_after_the_failure_stays(harness: DaemonHarness) -> None:
    """39 transcripts are staged when the chain fails; one of these people then completes a course, which is pushed."""
    harness.be_after("daily_full")
    harness.advance(hours=4)
    harness.sandbox.faults.add("server_error", "GET /transcripts/*", after=39)
    assert harness.run().failed == ("enrollments",)
    harness.sandbox.faults.reset()
    people = staged(harness)
    assert len(people) == 39
    person, course, partner = somebody(harness, people)
    harness.advance(hours=1)
    harness.sandbox.mutate("complete_course", person=person, course=course)
    harness.advance(minutes=5)
    assert harness.run("enrollments_incremental").success
    assert harness.run("push_to_impartner").success
    read_at = one_row(harness, "lms_users", id=person)["enrollment_synced_at"]
    counted_at = counted_as_of(harness)
    assert read_at == counted_at == harness.now
    harness.advance(hours=1)
    _, success = resumed(harness)
    assert success
    assert one_row(harness, "partners", id=partner["id"])["total_npcu"] == partner["total_npcu"] + 1
    assert harness.sandbox.vendor_state.accounts[partner["impartner_id"]].total_npcu == partner["total_npcu"] + 1
    assert one_row(harness, "lms_users", id=person)["enrollment_synced_at"] == read_at
    assert counted_as_of(harness) == counted_at
    assert differences(harness) == []
