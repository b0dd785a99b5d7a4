"""A step on a Celery worker whose process is killed: it has failed, and the run does not wait for it for ever."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from celery.exceptions import WorkerLostError

from lms_assets.runs import celery_engine
from lms_assets_tests.harness.redis import running_redis


class Task:
    """What Celery says of a task: nothing comes, or its error does."""

    def __init__(self, state: str, error: Exception | None = None) -> None:
        self.state, self.error = state, error

    def ready(self) -> bool:
        return self.error is not None

    def get(self) -> list[str]:
        assert self.error is not None
        raise self.error

    def forget(self) -> None:
        """Its result is not asked for again."""

    def revoke(self) -> None:
        """No worker is to begin it."""


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a watched task, whose step's lock is as told, at a clock of its own."""
    now = [1000.0]
    monkeypatch.setattr(celery_engine.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(celery_engine, "our_warehouse", lambda: None)
    monkeypatch.setattr(
        dg.DagsterEvent, "step_failure_event", staticmethod(lambda _context, data: data.error.message), raising=True
    )
    monkeypatch.setattr(celery_engine, "serialize_value", lambda value: value)

    def made(task: Task, held: bool | None, *, waits: bool = False) -> Any:
        monkeypatch.setattr(celery_engine, "is_held", lambda *_: held)
        plan = SimpleNamespace(run_id="a-run", for_step=lambda step: step)
        one = celery_engine._Watched(task, plan, SimpleNamespace(key="users"), lambda: waits)

        def after(seconds: float) -> bool:
            now[0] += seconds
            return bool(one.ready())

        return one, after

    return made


def test_a_step_that_waits_or_works_is_waited_for(watched: Any):
    for task, held in ((Task("PENDING"), None), (Task("STARTED"), True)):
        _, after = watched(task, held, waits=True)
        assert [after(seconds) for seconds in (10, 1000, 1000)] == [False, False, False]


def test_a_step_whose_process_is_gone_has_failed(watched: Any):
    one, after = watched(Task("STARTED"), False)
    assert after(celery_engine.LOOK_SECONDS)
    assert one.get() == [
        "WorkerLost: the worker of this step is gone (killed, or its machine stopped). Run the chain again from here"
    ]


@pytest.mark.parametrize("state", ["STARTED", "PENDING"])
def test_a_worker_that_died_before_it_held_the_lock_is_found_out_too(watched: Any, state: str):
    """PENDING: it had taken the task from the queue and not begun it; seen once, and the run waited for ever."""
    _, after = watched(Task(state), None)
    assert not after(10)
    assert after(celery_engine.BEGINS_WITHIN_SECONDS + 1)


def test_an_error_of_celery_is_the_steps_failure(watched: Any):
    """Raised, it would leave Dagster's loop turning for ever while another step could begin."""
    one, after = watched(Task("FAILURE", WorkerLostError("signal 9")), None)
    assert after(0)
    (said,) = one.get()
    assert said.startswith("WorkerLostError")


def test_a_task_waits_in_its_queue_until_a_worker_takes_it(monkeypatch: pytest.MonkeyPatch):
    with running_redis() as url:
        monkeypatch.setenv("LMS_REDIS_URL", url)
        app = celery_engine.celery_app()
        assert not celery_engine.waits_in(app, "dagster")
        app.send_task("execute_plan", queue="dagster", priority=5)
        assert celery_engine.waits_in(app, "dagster")
        assert app.control.purge() == 1
        assert not celery_engine.waits_in(app, "dagster")
    assert celery_engine.waits_in(app, "dagster"), "nobody can say: it may wait"
