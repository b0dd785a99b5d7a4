"""Runs that write the same rows take turns, whoever started them; who waits says for whom."""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from lms_assets.automation.jobs import JOBS
from lms_assets.checks.specs import CHAIN_IS_WHOLE
from lms_assets.console.running.run import our_turn
from lms_assets.console.running.runner import CannotRun
from lms_assets.definitions import defs
from lms_assets.domain.operations.chain_state import CHECKS_SUFFIX
from lms_assets.lineage import DAILY_FULL, GROUP_OF_STEP
from lms_assets.runs import dagster_internals, write_locks
from lms_assets.runs import execution as executor
from lms_assets.runs.active import WILL_RETRY_TAG
from lms_assets.runs.execution import OneWriter
from lms_assets.runs.progress import waits_for
from lms_assets.runs.write_locks import GroupIsBusy, groups_of, no_run_writes, owner_of, writing
from lms_assets.settings import ConfigurationError
from lms_assets.step_server import PRELOADED
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.errors import WarehouseError
from lms_assets.warehouse.state.write_lock import take_lock
from lms_assets_tests.automation.daemon_harness import DaemonHarness
from lms_assets_tests.harness.chain import quick_definitions

THEIRS = owner_of("11111111-theirs", "daily_full")
OURS = owner_of("22222222-ours", "push_to_impartner")


def test_every_step_of_every_job_knows_what_it_writes():
    for job in [*(job.name for job in JOBS), "__ASSET_JOB"]:
        steps = {node.name for node in defs.resolve_job_def(job).nodes}
        unknown = {step for step in steps if not step.endswith(CHECKS_SUFFIX)} - set(GROUP_OF_STEP)
        assert unknown <= {"open_incidents", CHAIN_IS_WHOLE}, f"{job}: say in the lineage which rows {unknown} write"
    assert groups_of(["leads", "courses", "courses_checks", "pam_weekly_report"]) == ("leads", "learning", "reports")
    assert groups_of(["courses_checks"]) == (), "checks only read"


def test_every_job_the_uis_own_included_passes_the_lock():
    for job in [*(job.name for job in JOBS), "__ASSET_JOB"]:
        create = defs.resolve_job_def(job).executor_def.executor_creation_fn
        assert create in {executor.EXECUTOR.executor_creation_fn, executor.IN_PROCESS.executor_creation_fn}, job


def test_a_step_writes_nothing_while_another_run_holds_the_lock(harness: DaemonHarness):
    lock = take_lock(harness.warehouse, "learning", THEIRS)
    assert lock is not None
    refused = harness.run(assets=("courses", "memberships"))
    assert set(refused.failed) == {"courses", "memberships"}, "memberships does not go on with its last good rows"
    said = "daily_full (run 11111111 on "
    assert all(said in error and "writes the learning rows" in error for error in refused.errors.values())
    assert harness.rows("lms_courses") == []
    beside = harness.run("leads_full", assets=("leads",))
    assert "leads" not in refused.errors
    assert "writes the" not in beside.errors.get("leads", ""), "leads are other rows"
    lock.release()
    assert harness.run(assets=("courses",)).success


class TwoSteps(dg.Executor):
    """Says what it does, in place of steps."""

    def __init__(self, happened: list[str]) -> None:
        self.happened = happened

    @property
    def retries(self) -> Any:
        return None

    def execute(self, plan_context: Any, execution_plan: Any) -> Iterator[Any]:
        for step in execution_plan.step_keys_to_execute:
            self.happened.append(step)
            yield step


@pytest.fixture
def run_of_courses(harness: DaemonHarness, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Works off a run of two assets in a process that nobody asked first, as the UI's button makes one."""
    monkeypatch.setattr(write_locks, "LOOK_AGAIN_SECONDS", 0.01)
    happened: list[str] = []
    log = SimpleNamespace(log_dagster_event=lambda _, text, event: happened.append(f"{text}|{waits_for(event)}"))
    run = dg.DagsterRun("__ASSET_JOB", run_id="33333333-ui")
    instance = SimpleNamespace(event_log_storage=None)
    context = SimpleNamespace(run_id=run.run_id, job_name=run.job_name, dagster_run=run, instance=instance, log=log)
    plan = SimpleNamespace(step_keys_to_execute=["courses", "course_npcu"])
    with harness.surroundings({}):
        yield happened, lambda: list(OneWriter(TwoSteps(happened)).execute(context, plan))


def test_assets_started_in_the_ui_beside_a_chain_wait_for_its_end_and_say_so(
    harness: DaemonHarness, run_of_courses: Any
):
    happened, work_off = run_of_courses
    lock = take_lock(harness.warehouse, "learning", THEIRS)
    assert lock is not None
    waited = threading.Event()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write_locks.time, "sleep", lambda _: waited.set() or lock.release())
        work_off()
    assert waited.is_set()
    text, holder = happened[0].split("|")
    assert holder.startswith("daily_full (run 11111111 on ")
    assert text == f"Waits: {holder}"
    assert happened[-2:] == ["courses", "course_npcu"]
    again = take_lock(harness.warehouse, "learning", THEIRS)
    assert again is not None, "let go at the end"
    again.release()


def test_a_run_that_is_cancelled_while_it_waits_ends_at_once(
    harness: DaemonHarness, run_of_courses: Any, monkeypatch: pytest.MonkeyPatch
):
    happened, work_off = run_of_courses
    lock = take_lock(harness.warehouse, "learning", THEIRS)
    assert lock is not None
    monkeypatch.setattr(dagster_internals, "check_captured_interrupt", lambda: True)
    with pytest.raises(KeyboardInterrupt):
        work_off()
    assert happened == []
    lock.release()


def test_a_run_of_this_process_passes_its_own_lock_and_nobody_elses(harness: DaemonHarness):
    with writing(harness.warehouse, ("learning",), OURS, on_wait=None):
        with writing(harness.warehouse, ("learning",), OURS, on_wait=None):
            pass
        with pytest.raises(GroupIsBusy), writing(harness.warehouse, ("learning",), THEIRS, on_wait=None):
            pass
        with pytest.raises(GroupIsBusy), writing(harness.warehouse, ("leads", "learning"), THEIRS, on_wait=None):
            pass
    with writing(harness.warehouse, ("leads", "learning"), THEIRS, on_wait=None):
        pass


def test_a_terminal_lets_a_run_go_first_that_dagster_is_about_to_begin_again(harness: DaemonHarness):
    definition = quick_definitions().resolve_job_def("daily_full")
    failed = harness.instance.create_run_for_job(definition, status=dg.DagsterRunStatus.FAILURE)
    harness.instance.add_run_tags(failed.run_id, {WILL_RETRY_TAG: "true"})
    ours = our_turn(harness.instance, harness.warehouse, "push_to_impartner", OURS.run_id, say=None)
    with pytest.raises(CannotRun, match=f"about to run it again by itself \\(run {failed.run_id[:8]}\\)"), ours:
        pass
    with our_turn(harness.instance, harness.warehouse, "leads_full", OURS.run_id, say=None):
        pass
    under_way = harness.instance.create_run_for_job(definition, status=dg.DagsterRunStatus.STARTED)
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        harness.instance.report_run_failed(under_way)

    with our_turn(harness.instance, harness.warehouse, "enrollments_incremental", OURS.run_id, say=say):
        assert said == [f"Waits: daily_full is under way (run {under_way.run_id[:8]})"]


def test_the_tables_are_not_changed_while_a_run_writes(harness: DaemonHarness, tmp_path: Path):
    said = r"daily_full \(run 11111111 on .* writes the leads rows; run it again"
    theirs = writing(harness.warehouse, ("leads",), THEIRS, on_wait=None)
    with theirs, pytest.raises(WarehouseError, match=said), no_run_writes(harness.warehouse):
        pass
    ours = writing(harness.warehouse, ("learning",), OURS, on_wait=None)
    with no_run_writes(harness.warehouse), pytest.raises(GroupIsBusy, match="db upgrade"), ours:
        pass
    with no_run_writes(Warehouse(f"sqlite:///{tmp_path / 'new.db'}")):
        pass


def test_the_chain_writes_one_group_of_rows():
    assert groups_of(DAILY_FULL) == ("learning",)


@pytest.mark.parametrize("name", [*PRELOADED, *executor.PRELOADED])
def test_what_the_server_of_the_steps_imports_first_is_there(name: str):
    """It passes over a module that it does not find, in silence."""
    assert importlib.util.find_spec(name) is not None


ENGINES = {
    "": "MultiprocessExecutor",
    "multiprocess": "MultiprocessExecutor",
    "in_process": "InProcessExecutor",
    "celery": "WatchedCeleryExecutor",
    "k8s": "StepDelegatingExecutor",
}


def made(name: str, monkeypatch: pytest.MonkeyPatch) -> OneWriter:
    """What works off the chain's steps with this LMS_EXECUTOR, as a run makes it."""
    monkeypatch.setenv("LMS_EXECUTOR", name)
    definition = defs.resolve_job_def(JOBS[0].name).executor_def
    config = {"retries": {"enabled": {}}, "max_concurrent": 4, "start_method": {"spawn": {}}}
    create = definition.executor_creation_fn
    assert create is not None
    with dg.instance_for_test() as instance:
        context = dg.InitExecutorContext(
            job=dg.build_reconstructable_job("lms_assets.console.running.runner", "load_job", (JOBS[0].name,)),
            executor_def=definition,
            executor_config=config,
            instance=instance,
        )
        created = create(context)
    assert isinstance(created, OneWriter)
    return created


@pytest.mark.parametrize("name", ENGINES)
def test_each_executor_is_made_and_passes_the_lock(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("LMS_REDIS_URL", "redis://127.0.0.1:1/0")
    if name == "k8s":
        monkeypatch.setattr("kubernetes.config.load_incluster_config", lambda: None)
    engine = made(name, monkeypatch)
    assert type(engine._inner).__name__ == ENGINES[name]
    assert engine.retries.enabled


@pytest.mark.parametrize(("name", "said"), [("spark", "must be one of"), ("k8s", r"pip install 'lms-assets\[k8s\]'")])
def test_an_executor_that_cannot_be_had_is_named(name: str, said: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "dagster_k8s", None)
    with pytest.raises(ConfigurationError, match=said):
        made(name, monkeypatch)
