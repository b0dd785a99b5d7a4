"""One run at a time writes the rows of a concurrency group, however it was started: schedule, sensor, UI or terminal.

A run takes the locks of its groups before its first step and holds them to its end; its steps, which are other
processes, pass because the lock is their own run's. Locks are always taken before a pool's slot and never inside a
step, and several of them in one order, so that no two runs wait for each other.
"""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

from lms_assets.domain.operations.chain_state import CHECKS_SUFFIX
from lms_assets.lineage import GROUP_OF_STEP
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.errors import SchemaNotCurrent, TransientWarehouseError, WarehouseError
from lms_assets.warehouse.state.write_lock import Owner, WriteLock, holder_of, take_lock

LOOK_AGAIN_SECONDS = 1.0
WAREHOUSE_MAY_BE_AWAY_SECONDS = 60.0

# What this process holds, by database and group: a terminal takes its locks before it makes its run.
_held: dict[tuple[str, str], WriteLock] = {}


class GroupIsBusy(Exception):
    """Another run writes these rows; the message names it."""


def groups_of(steps: Iterable[str]) -> tuple[str, ...]:
    """The concurrency groups that these steps write, in the order in which they are locked; checks only read."""
    found = {GROUP_OF_STEP.get(step) for step in steps if not step.endswith(CHECKS_SUFFIX)}
    return tuple(sorted(group for group in found if group is not None))


def owner_of(run_id: str, job: str) -> Owner:
    """A run of this machine, from now on."""
    return Owner(run_id, job, socket.gethostname(), datetime.now(UTC).isoformat(timespec="seconds"))


@contextmanager
def writing(
    warehouse: Warehouse, groups: Iterable[str], owner: Owner, *, on_wait: Callable[[str], None] | None
) -> Iterator[None]:
    """Hold the groups' locks for a run. Those that this process holds for the same run already are passed.

    Args:
        warehouse: where the rows are.
        groups: see `groups_of`.
        owner: the run.
        on_wait: called about once a second with whom the run waits for; may end the waiting by raising. None: not to
            wait.

    Raises:
        GroupIsBusy: another run holds one of them, and the run is not to wait.
        WarehouseError: the database cannot be asked.
    """
    with ExitStack() as stack:
        for group in groups:
            key = (warehouse.name, group)
            if key in _held and _held[key].run_id == owner.run_id:
                continue
            lock = _wait_for(warehouse, group, owner, on_wait)
            stack.callback(lock.release)
            _held[key] = lock
            stack.callback(_held.pop, key)
        yield


def _wait_for(warehouse: Warehouse, group: str, owner: Owner, on_wait: Callable[[str], None] | None) -> WriteLock:
    away_until = time.monotonic() + WAREHOUSE_MAY_BE_AWAY_SECONDS
    while True:
        try:
            lock = take_lock(warehouse, group, owner)
            if lock is not None:
                return lock
            text = busy_text(warehouse, group)
        except TransientWarehouseError as error:
            if time.monotonic() > away_until:
                raise
            text = str(error)
        else:
            away_until = time.monotonic() + WAREHOUSE_MAY_BE_AWAY_SECONDS
        if on_wait is None:
            raise GroupIsBusy(text)
        on_wait(text)
        time.sleep(LOOK_AGAIN_SECONDS)


@contextmanager
def no_run_writes(warehouse: Warehouse) -> Iterator[None]:
    """Hold all locks while the tables themselves are changed. A warehouse without tables has no run that writes.

    Raises:
        WarehouseError: a run writes now; the message names it.
    """
    owner = owner_of(str(uuid.uuid4()), "db upgrade")
    with ExitStack() as stack:
        for group in sorted(set(GROUP_OF_STEP.values())):
            try:
                lock = take_lock(warehouse, group, owner)
            except SchemaNotCurrent:
                continue
            if lock is None:
                remedy = "run it again when that run is over"
                raise WarehouseError(warehouse.name, busy_text(warehouse, group), remedy)
            stack.callback(lock.release)
        yield


def busy_text(warehouse: Warehouse, group: str) -> str:
    """Who writes the rows of a group that is taken."""
    return f"{holder_of(warehouse, group) or 'another run'} writes the {group} rows"


class Turn:
    """A step's right to write: its run's lock, or, where no run holds one, a lock of its own until `release`."""

    def __init__(self, warehouse: Warehouse, step: str, run_id: str, job: str) -> None:
        self._warehouse, self._groups = warehouse, groups_of((step,))
        self._owner = owner_of(run_id, job)
        self._own: dict[str, WriteLock] = {}

    def __enter__(self) -> Turn:
        self.require()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def require(self) -> None:
        """Make sure that no other run writes.

        Raises:
            GroupIsBusy: another run does: this one was started past the locks, or lost its own with the connection.
        """
        for group in self._groups:
            if group in self._own:
                if self._own[group].held():
                    continue
                # Lost with its connection: it must not take the lock again by itself.
                self._own.pop(group).release()
            lock = take_lock(self._warehouse, group, self._owner)
            if lock is not None:
                self._own[group] = lock
                continue
            holder = holder_of(self._warehouse, group)
            if holder is None or holder.run_id != self._owner.run_id:
                busy = busy_text(self._warehouse, group)
                raise GroupIsBusy(f"{busy}. Nothing was written here; run it again when that run is over")

    def release(self) -> None:
        """Release the locks that the step holds itself."""
        for lock in self._own.values():
            lock.release()
        self._own.clear()
