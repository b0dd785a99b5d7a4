"""Knowing whether the process of a run still lives.

A run's worker holds a lock for as long as it lives, which ends with the process however that ends: by itself, by
kill -9 or with the machine. On one machine it is a file's, and the operating system lets go of it; with several it is
the warehouse's server's, and ends with the worker's connection. A run that Dagster calls STARTED and whose lock is free
has no process any more. (Dagster itself leaves such a run STARTED, with its pool slots taken.)
"""

from __future__ import annotations

import fcntl
import os
from functools import cache
from pathlib import Path

import dagster as dg
from filelock import FileLock

from lms_assets.runs.write_locks import owner_of
from lms_assets.settings import SEVERAL_MACHINES
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.errors import WarehouseError
from lms_assets.warehouse.state.write_lock import WriteLock, is_held, take_lock

ACTIVE = [
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@cache
def _warehouse(process_id: int, url: str) -> Warehouse:
    # One a process: connections must not cross a fork.
    return Warehouse(url)


def our_warehouse() -> Warehouse:
    """This process's own, for what is not a step's work: made once, and never closed.

    Raises:
        KeyError: LMS_WAREHOUSE_URL is not set. ValueError: it is not accepted.
    """
    return _warehouse(os.getpid(), os.environ["LMS_WAREHOUSE_URL"])


def _several_machines() -> bool:
    return os.environ.get("LMS_EXECUTOR", "").strip() in SEVERAL_MACHINES


def _run_lock(run_id: str) -> str:
    return f"run {run_id}"


def step_lock(run_id: str, step: str) -> str:
    """The name of the lock that a Celery worker's process holds while it works on a step."""
    return f"step {run_id} {step}"


def lock_path(home: Path, run_id: str) -> Path:
    """The lock file of a run, in a folder of Dagster's home."""
    return home / "run_locks" / f"{run_id}.lock"


_GRACE_SECONDS = 10
_held: dict[str, FileLock | WriteLock] = {}


def hold_run(home: Path, run_id: str) -> None:
    """Hold the run's lock until `release_run` or the end of this process, whichever comes first.

    Raises:
        TimeoutError: another process holds it, so this run is already being worked on.
        WarehouseError: its server cannot be asked.
    """
    if _several_machines():
        held = take_lock(our_warehouse(), _run_lock(run_id), owner_of(run_id, "run"))
        if held is None:
            raise TimeoutError(f"another process works on the run {run_id}")
        _held[run_id] = held
        return
    path = lock_path(home, run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, thread_local=False)
    # A process that asks whether this run is alive shares the lock for a moment.
    lock.acquire(timeout=_GRACE_SECONDS)
    _held[run_id] = lock


def release_run(home: Path, run_id: str) -> None:
    """Release the run's lock and remove its file; does nothing when it is not held here."""
    lock = _held.pop(run_id, None)
    if isinstance(lock, FileLock):
        lock_path(home, run_id).unlink(missing_ok=True)
    if lock is not None:
        lock.release()


def is_alive(home: Path, run_id: str) -> bool | None:
    """Whether the run's process lives; None when it never took a lock or released it at its end.

    Asking takes a file's lock in its shared form: several who ask at once do not take each other for the run's process.
    """
    if _several_machines():
        try:
            return is_held(our_warehouse(), _run_lock(run_id))
        except WarehouseError:
            return None
    path = lock_path(home, run_id)
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            # Who lets go in good order removes the file first: it may have gone since it was opened.
            return False if path.exists() else None
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return True


def home_of(instance: dg.DagsterInstance) -> Path:
    """Dagster's home folder; falls back to the environment for an instance without one."""
    return Path(instance.root_directory or os.environ.get("DAGSTER_HOME", "."))


def fail_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark as failed every run that counts as running though its process is gone, and free its pool slots.

    Their lock files stay until the cleanup: by them a step that outlived its run finds that the run is over.

    Returns the ids of the runs so marked.
    """
    home = home_of(instance)
    dead: list[str] = []
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=ACTIVE)):
        if is_alive(home, run.run_id) is not False:
            continue
        instance.report_run_failed(run, "The process of this run is gone (killed, or the machine stopped).")
        dead.append(run.run_id)
    for run_id in dead:
        if instance.event_log_storage.supports_global_concurrency_limits:
            instance.event_log_storage.free_concurrency_slots_for_run(run_id)
    return dead
