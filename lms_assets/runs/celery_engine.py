"""LMS_EXECUTOR=celery: the chain's steps on the Celery workers of several machines, by Dagster's own executor.

That executor waits for ever for a step whose worker was killed. So a step holds a lock of the warehouse's server while
its process lives (`celery_worker`), and one whose lock is free without a result has failed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import dagster as dg
from celery import Celery
from celery.exceptions import OperationalError, TaskRevokedError
from dagster_celery.core_execution_loop import core_celery_execution_loop
from dagster_celery.executor import CeleryExecutor
from dagster_celery.make_app import make_app

from lms_assets.runs.dagster_internals import (
    RetryMode,
    SerializableErrorInfo,
    StepFailureData,
    sent_to_celery,
    serialize_value,
)
from lms_assets.runs.liveness import our_warehouse, step_lock
from lms_assets.warehouse.errors import WarehouseError
from lms_assets.warehouse.state.write_lock import is_held

LOOK_SECONDS = 5.0
BEGINS_WITHIN_SECONDS = 120.0
"""A task that no queue holds any more, and no lock after so long, has lost its worker before that could take one."""


class WorkerLost(Exception):
    """The process that worked on a step is gone."""


class WatchedCeleryExecutor(CeleryExecutor):
    """Dagster's Celery executor, which also finds out when a step's worker is gone."""

    def execute(self, plan_context: Any, execution_plan: Any) -> Any:
        """As Dagster's."""
        return core_celery_execution_loop(plan_context, execution_plan, step_execution_fn=_submit_watched)


def executor(_context: dg.InitExecutorContext) -> WatchedCeleryExecutor:
    """The executor that `celery_worker` works for."""
    return WatchedCeleryExecutor(retries=RetryMode.ENABLED, **_app_settings())


def celery_app() -> Celery:
    """The same queues for executor and workers, from the same variable."""
    return make_app(_app_settings())


def _app_settings() -> dict[str, Any]:
    redis = os.environ["LMS_REDIS_URL"]
    own = {"task_track_started": True, "worker_disable_prefetch": True, "task_default_queue": "dagster"}
    return {"broker": redis, "backend": redis, "config_source": own}


def _submit_watched(app: Celery, plan_context: Any, step: Any, queue: str, *rest: Any) -> _Watched:
    result = sent_to_celery(app, plan_context, step, queue, *rest)
    return _Watched(result, plan_context, step, lambda: waits_in(app, queue))


def waits_in(app: Celery, queue: str) -> bool:
    """Whether a task waits in the queue for a free worker; True when Redis cannot be asked."""
    with app.connection_for_read() as connection:
        try:
            return bool(connection.default_channel.queue_declare(queue).message_count)
        except (OperationalError, *connection.connection_errors, *connection.channel_errors):
            return True


class _Watched:
    """A task's result as Dagster's loop asks for it, which is also there once the task's worker is gone."""

    def __init__(self, result: Any, plan_context: Any, step: Any, task_waits: Callable[[], bool]) -> None:
        self._result, self._plan_context, self._step = result, plan_context, step
        self._task_waits = task_waits
        self._looked_at = time.monotonic()
        self._silent_since: float | None = None
        self._lost = False

    def ready(self) -> bool:
        """Whether the step is over."""
        now = time.monotonic()
        if not self._result.ready() and not self._lost and now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            # The result is stored before the lock is let go of.
            self._lost = self._is_gone(now) and not self._result.ready()
        return self._lost or bool(self._result.ready())

    def get(self) -> list[str]:
        """The step's events, or its failure: Dagster's loop never ends after an error while other steps could begin."""
        told, kind = "the worker of this step is gone (killed, or its machine stopped)", WorkerLost.__name__
        if not self._lost:
            try:
                events: list[str] = self._result.get()
            except TaskRevokedError:
                raise
            except Exception as failed:  # noqa: BLE001 - whatever it is, the step has failed
                told, kind = str(failed), type(failed).__name__
            else:
                return events
        else:
            # Redis gives a task that was taken and not begun to another worker after an hour.
            self._result.revoke()
        self._result.forget()
        error = SerializableErrorInfo(f"{kind}: {told}. Run the chain again from here", [], kind)
        failure = StepFailureData(error=error, user_failure_data=None)
        context = self._plan_context.for_step(self._step)
        return [serialize_value(dg.DagsterEvent.step_failure_event(context, failure))]

    def revoke(self) -> None:
        """Take it back, if no worker has begun."""
        self._result.revoke()

    def _is_gone(self, now: float) -> bool:
        try:
            held = is_held(our_warehouse(), step_lock(self._plan_context.run_id, self._step.key))
        except WarehouseError:
            return False
        # A worker that is killed between taking a task and beginning it leaves it "PENDING", as one in the queue is.
        waits = held is None and self._result.state != "STARTED" and self._task_waits()
        if held is not None or waits:
            self._silent_since = None
            return held is False
        self._silent_since = self._silent_since or now
        return now - self._silent_since > BEGINS_WITHIN_SECONDS
