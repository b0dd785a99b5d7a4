"""What a machine runs for LMS_EXECUTOR=celery: `celery -A lms_assets.celery_worker worker`.

The graph is imported here, before the worker forks its processes: a step then begins at once.
"""

from __future__ import annotations

from typing import Any

import dagster as dg
from celery.signals import task_postrun, task_prerun
from dagster_celery.tasks import create_task

import lms_assets.definitions  # noqa: F401
from lms_assets.runs.celery_engine import celery_app
from lms_assets.runs.dagster_internals import pack_value, unpack_value
from lms_assets.runs.liveness import our_warehouse, step_lock
from lms_assets.runs.write_locks import owner_of
from lms_assets.warehouse.state.write_lock import WriteLock, take_lock

app = celery_app()
execute_plan = create_task(app)

_held: dict[str, WriteLock] = {}


@task_prerun.connect(sender=execute_plan)
def step_begins(task_id: str, kwargs: dict[str, Any], **_: Any) -> None:
    """Hold the step's lock, and work in this machine's Dagster home: the task names the home of the run's machine."""
    packed = kwargs["execute_step_args_packed"]
    order: Any = unpack_value(packed)
    packed["instance_ref"] = pack_value(dg.DagsterInstance.get().get_ref())
    (step,) = order.step_keys_to_execute
    lock = take_lock(our_warehouse(), step_lock(order.run_id, step), owner_of(order.run_id, step))
    if lock is not None:
        _held[task_id] = lock


@task_postrun.connect(sender=execute_plan)
def step_ends(task_id: str, **_: Any) -> None:
    """Let go of the step's lock; its result is stored by now."""
    lock = _held.pop(task_id, None)
    if lock is not None:
        lock.release()
