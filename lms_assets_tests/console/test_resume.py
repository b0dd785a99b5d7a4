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
from lms_assets.console.running import resume, runner
from lms_assets.console.running.resume import resumed_order
from lms_assets.console.running.run import RunOptions, _worked_off
from lms_assets.console.running.runner import CannotRun, RunOrder, execute
from lms_assets.domain.safety.overrides import command_in
from lms_assets.lineage import DAILY_FULL
from lms_assets_tests.assets.test_resumed_chains import counted_as_of, somebody, staged
from lms_assets_tests.automation.rig import WatchedRig, one_row, watched_rig
from lms_assets_tests.harness.agreement import differences
from lms_assets_tests.harness.chain import quick_definitions

IN_PROCESS = {**runner.QUIET, "execution": {"config": {"in_process": {}}}}

# What the UI asks for on the page of a job, and where it asks for a job's last state.
SHOWN_BY_THE_JOBS_PAGE = dg.RunsFilter(job_name="daily_full", tags={".dagster/repository": "__repository__@lms_assets"})


@pytest.fixture
def rig(quick_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WatchedRig]:
    """Runs of a terminal in this process; the chain's clock stands still, so no chain is too old."""
    monkeypatch.setattr(runner, "load_job", lambda name: quick_definitions().resolve_job_def(name))
    monkeypatch.setattr(runner.load_job, "__name__", "load_job", raising=False)
    monkeypatch.setattr(runner, "QUIET", IN_PROCESS)
    monkeypatch.setattr(resume, "OLDEST", resume.OLDEST * 10_000)
    with watched_rig(quick_folder) as made:
        yield made


def a_step_raises(rig: WatchedRig) -> Callable[[], None]:
    rig.sandbox.faults.add("forbidden", "GET /people")
    return rig.sandbox.faults.reset


def a_blocking_check_fails(rig: WatchedRig) -> Callable[[], None]:
    def certifications(count: str) -> None:
        with sqlite3.connect(rig.folder / "warehouse.db") as connection:
            connection.execute(
                "INSERT OR REPLACE INTO sync_state (name, value, updated_at) VALUES"
                " ('certifications_when_last_counted', ?, '2026-03-01 00:00:00')",
                (count,),
            )

    certifications("5000")
    return lambda: certifications("1")


def a_step_that_the_chain_can_do_without_fails(rig: WatchedRig) -> Callable[[], None]:
    rig.sandbox.faults.add("forbidden", "GET /groups/{id}/memberships")
    return rig.sandbox.faults.reset


WAYS = (a_step_raises, a_blocking_check_fails, a_step_that_the_chain_can_do_without_fails)


def tried_again_by_itself(rig: WatchedRig, root: str) -> None:
    """What the daemon does: a run of the assets that did not come through, with the steps of those only."""
    row = one_row(rig, "task_chain_logs")
    left = tuple(step["step"] for step in row["steps_completed"] if step["status"] != "completed")
    tags = {ROOT_RUN_TAG: root, "dagster/parent_run_id": root, "dagster/retry_number": "1"}
    rig.run(assets=left, tags=tags)


def resumed(rig: WatchedRig) -> tuple[RunOrder, bool]:
    with rig._surroundings({}):
        reconcile_chains(rig.instance, rig.warehouse)
        order = resumed_order(rig.instance, rig.warehouse)
        return order, execute(rig.instance, order, lambda _: None).success


def a_run_that_never_started(rig: WatchedRig, root: str) -> None:
    """What a command leaves behind that was killed between making its run and beginning it."""
    definition = quick_definitions().resolve_job_def("daily_full")
    tags = {ROOT_RUN_TAG: root, "dagster/parent_run_id": root}
    rig.instance.create_run_for_job(definition, tags=tags, root_run_id=root, parent_run_id=root)


@pytest.mark.parametrize("retries", [0, 1])
@pytest.mark.parametrize("fails", WAYS)
def test_it_goes_on_with_what_did_not_come_through(rig: WatchedRig, fails: Callable[..., Any], retries: int):
    put_right = fails(rig)
    root = rig.run().run_id
    for _ in range(retries):
        tried_again_by_itself(rig, root)
        a_run_that_never_started(rig, root)
    before = one_row(rig, "task_chain_logs")
    assert before["status"] in {"failed", "partial"}
    put_right()
    order, success = resumed(rig)
    assert success
    row = one_row(rig, "task_chain_logs")
    assert (row["id"], row["status"]) == (before["id"], "completed")
    assert {step["step"]: step["status"] for step in row["steps_completed"]} == dict.fromkeys(DAILY_FULL, "completed")
    newest = rig.instance.get_runs(SHOWN_BY_THE_JOBS_PAGE, limit=1)
    assert [run.status for run in newest] == [dg.DagsterRunStatus.SUCCESS], (
        "the job's last state is not failed any more"
    )
    done = {step["step"] for step in before["steps_completed"] if step["status"] == "completed"}
    assert not done & set(order.steps), "what was done is not done again"


def test_a_resumed_chain_may_be_allowed_what_stopped_it(rig: WatchedRig):
    assert rig.run().success
    rig.advance(hours=4)
    for row in [row for row in rig.rows("contacts") if row["is_active"]][:20]:
        rig.sandbox.mutate("delete_contact", contact=row["impartner_id"])
    command = command_in(rig.run().errors["contacts"])
    assert command == "lms-assets run daily_full --resume --allow mass_deactivation:contacts"
    with rig._surroundings({}):
        allowed = RunOptions("daily_full", allow=("mass_deactivation:contacts",), resume=True, by="Ada", here=True)
        result, shown = _worked_off(allowed, rig.instance, rig.warehouse, Console(file=StringIO()))
    assert result.success
    assert shown[0] == "contacts"
    assert one_row(rig, "task_chain_logs")["status"] == "completed"
    assert one_row(rig, "sync_overrides")["issued_by"] == "Ada"


def test_what_dagster_itself_refuses_is_one_line_and_leaves_no_run(rig: WatchedRig):
    assert rig.run(assets=("courses",)).success
    (root,) = rig.instance.get_runs()
    with pytest.raises(CannotRun) as refused, rig._surroundings({}):
        execute(rig.instance, RunOrder("daily_full", {}, root.run_id, ("no_such_step",)), lambda _: None)
    assert str(refused.value).startswith("Dagster could not run daily_full: DagsterExecutionStepNotFoundError: ")
    assert "\n" not in str(refused.value)
    assert rig.instance.get_runs() == [root]


def test_a_run_that_never_started_does_not_keep_its_chain_running(rig: WatchedRig):
    root = rig.run(assets=("courses",)).run_id
    a_run_that_never_started(rig, root)
    with rig.warehouse.transaction() as connection:
        connection.exec_driver_sql("UPDATE task_chain_logs SET status = 'running', completed_at = NULL")
    assert reconcile_chains(rig.instance, rig.warehouse) == [root]
    assert one_row(rig, "task_chain_logs")["status"] == "failed"


def test_what_was_read_and_pushed_after_the_failure_stays(rig: WatchedRig) -> None:
    """39 transcripts are staged when the chain fails; one of these people then completes a course, which is pushed."""
    assert rig.run().success
    rig.advance(hours=4)
    rig.sandbox.faults.add("server_error", "GET /transcripts/*", after=39)
    assert rig.run().failed == ("enrollments",)
    rig.sandbox.faults.reset()
    people = staged(rig)
    assert len(people) == 39
    person, course, partner = somebody(rig, people)
    rig.advance(hours=1)
    rig.sandbox.mutate("complete_course", person=person, course=course)
    rig.advance(minutes=5)
    assert rig.run("enrollments_incremental").success
    assert rig.run("push_to_impartner").success
    read_at = one_row(rig, "lms_users", id=person)["enrollment_synced_at"]
    counted_at = counted_as_of(rig)
    assert read_at == counted_at == rig.now
    rig.advance(hours=1)
    _, success = resumed(rig)
    assert success
    assert one_row(rig, "partners", id=partner["id"])["total_npcu"] == partner["total_npcu"] + 1
    assert rig.sandbox.world.accounts[partner["impartner_id"]].total_npcu == partner["total_npcu"] + 1
    assert one_row(rig, "lms_users", id=person)["enrollment_synced_at"] == read_at
    assert counted_as_of(rig) == counted_at
    assert differences(rig) == []
