"""One lock for each concurrency group: only its holder writes the group's rows, whoever started it and wherever.
With several machines, one for each run and step as well, that shows whether its process lives (`runs/liveness.py`).

On MySQL it is a named lock of a connection of its own (GET_LOCK), so it holds over machines and ends with the
connection. On SQLite it is a locked file beside the database file, which the system releases when the process ends.
Who holds it stands in `sync_state`: for people, and for the steps of the holder's own run, which are other processes.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlalchemy import Connection, delete, text
from sqlalchemy.exc import SQLAlchemyError

from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.errors import ReadOnlyWarehouse, WarehouseError, translated
from lms_assets.warehouse.schema.tables import sync_state
from lms_assets.warehouse.sync_state import get_state, put_state, remove_state

PING_SECONDS = 10.0
TAKEN_AGAIN_SECONDS = 25.0
SILENT_SECONDS = 120


@dataclass(frozen=True)
class Owner:
    """Who holds a lock: a run of a job, on a machine, since an instant (ISO 8601, UTC)."""

    run_id: str
    job: str
    machine: str
    since: str

    def __str__(self) -> str:
        return f"{self.job} (run {self.run_id[:8]} on {self.machine}, since {self.since[11:16]} UTC)"


class WriteLock:
    """A held lock. It ends with `release`, or with this process."""

    def __init__(self, warehouse: Warehouse, group: str, owner: Owner, kind: _LockedFile | _NamedLock) -> None:
        self._warehouse, self._group, self._owner, self._kind = warehouse, group, owner, kind
        self._over = threading.Event()
        self._one_at_a_time = threading.Lock()
        self._guard: threading.Thread | None = None

    @property
    def run_id(self) -> str:
        """The run that holds it."""
        return self._owner.run_id

    def held(self) -> bool:
        """Whether it is still ours; the answer is the database's."""
        with self._one_at_a_time:
            return self._kind.held()

    def begin(self) -> None:
        """Note who holds it; on a server, also look after the connection from now on."""
        self._note()
        if not self._warehouse.is_sqlite:
            self._guard = threading.Thread(target=self._look_after, name=f"write lock {self._group}", daemon=True)
            self._guard.start()

    def release(self) -> None:
        """Let go of it. A server that is away has let go of it already."""
        self._over.set()
        if self._guard is not None:
            self._guard.join()
        if self._kind.held():
            with suppress(WarehouseError):
                self._warehouse.in_transaction(lambda connection: _forget(connection, self._group, self._owner))
        self._kind.drop()

    def _note(self) -> None:
        value = {**asdict(self._owner), "connection": self._kind.connection_id}
        now = datetime.now(UTC)
        self._warehouse.in_transaction(lambda connection: put_state(connection, _state(self._group), value, now=now))

    def _look_after(self) -> None:
        """Keep the connection in use, and take the lock again after a lost one, unless somebody else has it."""
        while not self._over.wait(PING_SECONDS):
            with suppress(WarehouseError), self._one_at_a_time:
                if not self._kind.held():
                    self._kind.drop()
                    if self._kind.take():
                        self._note()


def take_lock(warehouse: Warehouse, group: str, owner: Owner) -> WriteLock | None:
    """The lock of a concurrency group, if it is free; never waits.

    Raises:
        WarehouseError: the database cannot be asked, or the folder of its file takes no lock file.
    """
    kind = _LockedFile(warehouse, group) if warehouse.is_sqlite else _NamedLock(warehouse, group)
    if not kind.take():
        return None
    lock = WriteLock(warehouse, group, owner, kind)
    try:
        lock.begin()
    except BaseException:
        kind.drop()
        raise
    return lock


def holder_of(warehouse: Warehouse, group: str) -> Owner | None:
    """Who noted that it holds the lock; to be asked when `take_lock` found it taken. None: not noted yet."""
    with warehouse.read() as connection:
        value: dict[str, Any] | None = get_state(connection, _state(group))
        parameters = {"name": lock_name(warehouse, group)}
        used = None if warehouse.is_sqlite else connection.execute(_USED, parameters).scalar()
    if value is None or value.pop("connection", None) != used:
        return None
    return Owner(**value)


def is_held(warehouse: Warehouse, name: str) -> bool | None:
    """Whether somebody holds this lock of a server. None: nobody noted that he does, or he let go of it in good order.

    A holder whose connection broke, the server's restart included, has TAKEN_AGAIN_SECONDS to take it again.

    Raises:
        WarehouseError: the database cannot be asked.
    """
    give_up_at = time.monotonic() + TAKEN_AGAIN_SECONDS
    while True:
        with warehouse.read() as connection:
            used = connection.execute(_USED, {"name": lock_name(warehouse, name)}).scalar()
            noted = get_state(connection, _state(name))
        if used is not None:
            return True
        if noted is None:
            return None
        if time.monotonic() >= give_up_at:
            return False
        time.sleep(1.0)


def forget_dead_before(connection: Connection, before: datetime) -> int:
    """Remove what runs and steps noted that were killed before an instant; gives how many."""
    s = sync_state.c
    of_processes = s.name.like(_state("run %")) | s.name.like(_state("step %"))
    return connection.execute(delete(sync_state).where(of_processes, s.updated_at < before)).rowcount


def _state(group: str) -> str:
    return f"write_lock {group}"


def _forget(connection: Connection, group: str, owner: Owner) -> None:
    noted = get_state(connection, _state(group))
    if noted and noted.get("run_id") == owner.run_id:
        remove_state(connection, _state(group))


class _LockedFile:
    """Released by the system when the process ends."""

    def __init__(self, warehouse: Warehouse, group: str) -> None:
        self.connection_id: int | None = None
        self._where = warehouse.name
        path = Path(warehouse.name.removeprefix("sqlite:").removeprefix("file:").partition("?")[0]).resolve()
        self._lock = FileLock(path.with_name(f"{path.name}.{group}.lock"), thread_local=False)

    def take(self) -> bool:
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        except OSError as error:
            problem = f"its folder takes no lock file ({error.strerror})"
            raise ReadOnlyWarehouse(self._where, problem, "check the folder's permissions") from None
        return True

    def held(self) -> bool:
        return self._lock.is_locked

    def drop(self) -> None:
        self._lock.release()


_TAKE = text("SELECT GET_LOCK(:name, 0)")
_OURS = text("SELECT IS_USED_LOCK(:name) = CONNECTION_ID()")
_USED = text("SELECT IS_USED_LOCK(:name)")


def lock_name(warehouse: Warehouse, name: str) -> str:
    """The name of a lock on a server, at most 64 characters: locks are the server's, so the database is part of it."""
    database = warehouse.name.rpartition("/")[2]
    return f"lms_assets:{blake2b(f'{database}/{name}'.encode(), digest_size=16).hexdigest()}"


class _NamedLock:
    """Released by the server when the connection ends."""

    def __init__(self, warehouse: Warehouse, group: str) -> None:
        self._warehouse = warehouse
        self._parameters = {"name": lock_name(warehouse, group)}
        self._connection: Connection | None = None
        self.connection_id: int | None = None

    def take(self) -> bool:
        connection = self._warehouse.own_connection()
        taken = False
        try:
            with translated(self._warehouse.name):
                # A machine that is gone without a result is found out by its silence.
                connection.execute(text("SET SESSION wait_timeout = :seconds"), {"seconds": SILENT_SECONDS})
                taken = connection.execute(_TAKE, self._parameters).scalar() == 1
                self.connection_id = connection.execute(text("SELECT CONNECTION_ID()")).scalar()
        finally:
            if not taken:
                connection.close()
        self._connection = connection if taken else None
        return taken

    def held(self) -> bool:
        if self._connection is None:
            return False
        try:
            return self._connection.execute(_OURS, self._parameters).scalar() == 1
        except SQLAlchemyError:
            return False

    def drop(self) -> None:
        # The server releases the lock with its connection.
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.close()
