"""The door to the database: connections, transactions, and doing a transaction again when that helps.

No statement about a table is written here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import stamina
from sqlalchemy import Connection, Engine, Select, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from lms_assets.warehouse.errors import (
    AccessDenied,
    ReadOnlyWarehouse,
    SchemaNotCurrent,
    TransientWarehouseError,
    WarehouseError,
    translated,
    upgrade_errors,
)

__all__ = ["Connection", "Warehouse", "display_name", "parse_url", "sqlite_path", "streamed"]


_ACCEPTED = "give sqlite:///path/to/file.db or mysql+pymysql://user:password@host:3306/database"


def parse_url(text: str) -> URL:
    """Read a warehouse URL; any mysql or mariadb URL gets the pure-Python driver PyMySQL.

    Raises:
        ValueError: no URL, another kind of database, an in-memory one, or a server without a database name. The text
            never repeats what was given, since it may hold a password.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError(f"not a database URL: {_ACCEPTED}") from None
    backend = url.get_backend_name()
    if backend == "sqlite":
        if not url.database or url.database == ":memory:":
            raise ValueError(f"a SQLite warehouse must be a file, since several processes share it: {_ACCEPTED}")
        return url
    if backend in ("mysql", "mariadb"):
        if not url.host and "unix_socket" not in url.query:
            raise ValueError(f"the database URL names no host: {_ACCEPTED}")
        if not url.database:
            raise ValueError(f"the database URL names no database: {_ACCEPTED}")
        return url.set(drivername="mysql+pymysql")
    raise ValueError(f"a {backend} database is not supported: {_ACCEPTED}")


def display_name(url: URL) -> str:
    """Where the warehouse is, for people: kind, host, port and database, neither user nor password."""
    if url.get_backend_name() == "sqlite":
        return f"sqlite:{url.database}"
    port = f":{url.port}" if url.port else ""
    return f"mysql:{url.host or url.query.get('unix_socket')}{port}/{url.database}"


def sqlite_path(url: URL) -> Path | None:
    """Give the file of a SQLite URL; None for servers and for SQLite's own `file:` form."""
    if url.get_backend_name() != "sqlite" or url.database is None or url.database.startswith("file:"):
        return None
    return Path(url.database)


if TYPE_CHECKING:
    from lms_assets.warehouse.migrations.upgrade import UpgradePlan, UpgradeReport

T = TypeVar("T")

_WRITES = "lms_writes"
_CONNECT_SECONDS = 10
_ANSWER_SECONDS = 600
_SQL_MODE = "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"


class Warehouse:
    """The portal's database, SQLite file or MySQL/MariaDB server.

    Nothing is opened before the first use. Safe to share between threads; every process makes its own.

    Args:
        url: see urls.parse_url; ValueError when it is not accepted.
        lock_wait_seconds: how long a statement waits for a lock that somebody else holds.
        answer_seconds: how long the server may take to answer a statement.
    """

    def __init__(self, url: str, *, lock_wait_seconds: int = 30, answer_seconds: int = _ANSWER_SECONDS) -> None:
        self._url = parse_url(url)
        self._lock_wait_seconds = lock_wait_seconds
        self._answer_seconds = answer_seconds
        self._may_create = False
        self.name = display_name(self._url)

    @classmethod
    @contextmanager
    def opened(cls, url: str, **waits: int) -> Iterator[Warehouse]:
        """One whose tables are this version's, closed at the end; `waits` as for the constructor.

        Raises:
            SchemaNotCurrent: the tables are another version's. WarehouseError: it cannot be reached.
        """
        warehouse = cls(url, **waits)
        try:
            warehouse.require_current_schema()
            yield warehouse
        finally:
            warehouse.close()

    def __repr__(self) -> str:
        return f"Warehouse({self.name})"

    @property
    def is_sqlite(self) -> bool:
        """Whether this is a SQLite file."""
        return self._url.get_backend_name() == "sqlite"

    def full_name(self, table: str) -> str:
        """A table's name with that of its database, as SQL takes it from anywhere."""
        return f"{'main' if self.is_sqlite else self._url.database}.{table}"

    @cached_property
    def engine(self) -> Engine:
        """The SQLAlchemy engine; made at first use, connects when asked for a connection."""
        return self._sqlite_engine() if self.is_sqlite else self._mysql_engine()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One writing transaction: all of it is kept, or nothing.

        Locks the whole file on SQLite (BEGIN IMMEDIATE), rows on MySQL (READ COMMITTED).

        Raises:
            WarehouseError: see errors; `transient` says whether doing it again helps.
        """
        with translated(self.name), self.engine.connect() as plain:
            connection = plain.execution_options(**{_WRITES: True})
            with connection.begin():
                yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One reading transaction; all of its statements see the database at one instant, and none may write."""
        with translated(self.name), self.engine.connect() as connection, connection.begin():
            yield connection

    def own_connection(self) -> Connection:
        """A connection outside the pool, every statement by itself; closing it ends it on the server too.

        Raises:
            WarehouseError: it cannot be made.
        """
        for attempt in stamina.retry_context(
            on=TransientWarehouseError, attempts=3, timeout=None, wait_initial=0.2, wait_max=5.0
        ):
            with attempt, translated(self.name):
                plain = self.engine.connect()
                connection = plain.execution_options(**{_WRITES: True, "isolation_level": "AUTOCOMMIT"})
                connection.detach()
        return connection

    def in_transaction(self, work: Callable[[Connection], T], *, attempts: int = 3) -> T:
        """Run `work(connection)` in one transaction, the whole of it again after a deadlock or a lost connection.

        `work` must not keep anything from a failed attempt, and must stand being run again after a commit whose
        answer was lost: the syncs do, since they compare before they write.

        Raises:
            WarehouseError: after the last attempt, or at once when doing it again does not help.
        """
        for attempt in stamina.retry_context(
            on=TransientWarehouseError, attempts=attempts, timeout=None, wait_initial=0.2, wait_max=5.0
        ):
            with attempt, self.transaction() as connection:
                result = work(connection)
        return result

    def check_reachable(self) -> None:
        """Connect and ask the simplest question.

        Raises:
            WarehouseError: unreachable, access denied, no such database, no such file.
        """
        with self.read() as connection:
            connection.execute(text("SELECT 1")).scalar_one()

    def check_writable(self) -> None:
        """Take the right to write and give it back; no row is touched.

        Raises:
            WarehouseError: as check_reachable, and ReadOnlyWarehouse. A right that is missing on a single table shows
                only when that table is written.
        """
        with self.transaction() as connection:
            if self.is_sqlite:
                version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
                connection.exec_driver_sql(f"PRAGMA user_version = {version}")
            elif connection.execute(text("SELECT @@global.read_only")).scalar_one():
                remedy = "give the primary server in LMS_WAREHOUSE_URL"
                raise ReadOnlyWarehouse(self.name, "takes no writes (read_only)", remedy)

    def require_current_schema(self) -> None:
        """Refuse to work on a database that is not exactly this version's.

        Raises:
            SchemaNotCurrent: one line that says what is wrong and which command fixes it.
            WarehouseError: it cannot be read at all.
        """
        from lms_assets.warehouse.migrations.current import require_current

        with self.read() as connection:
            require_current(connection, self.name)

    def plan_upgrade(self) -> UpgradePlan:
        """What `upgrade` would change and what it would refuse; only reads.

        Raises:
            WarehouseError: it cannot be read at all.
        """
        from lms_assets.warehouse.migrations.upgrade import UpgradePlan, plan_upgrade

        path = sqlite_path(self._url)
        if path is not None and not path.exists():
            return UpgradePlan((f"make the file {path} with every table",))
        with self.read() as connection:
            return plan_upgrade(connection)

    def upgrade(self) -> UpgradeReport:
        """Create or migrate the tables; safe to run again after any interruption, keeps every row.

        Raises:
            WarehouseError: nothing half written on SQLite; on MySQL run it again to go on where it stopped.
        """
        from lms_assets.warehouse.migrations.upgrade import upgrade

        path = sqlite_path(self._url)
        if path is not None:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                remedy = "check the path in LMS_WAREHOUSE_URL and its permissions"
                raise WarehouseError(self.name, f"its folder cannot be made ({error.strerror})", remedy) from None
        self._may_create = True
        try:
            with upgrade_errors(self.name):
                return upgrade(self.engine, self.name)
        finally:
            self._may_create = False

    def upgrade_statements(self) -> tuple[str, ...]:
        """The statements with which an upgrade of a MySQL or MariaDB server changes tables, and why, line by line.

        They are found on a copy of the tables without rows, in a database of its own that is dropped again. What is
        left to `upgrade` after them needs no right to change tables.

        Raises:
            AccessDenied: this user may not make a database.
            UpgradeRefused: the upgrade would not begin; nothing was tried.
        """
        from lms_assets.warehouse.migrations.upgrade import (
            Recorded,
            copy_of_tables,
            needs_a_copy,
            recording,
            refuse_unfit,
            upgrade,
        )

        with self.read() as connection:
            refuse_unfit(connection, self.name)
        done = Recorded()
        try:
            with copy_of_tables(self.engine, self.name, self._engine_of) as copy, recording(copy, done):
                upgrade(copy, self.name, done)
        except AccessDenied as error:
            raise needs_a_copy(error) from None
        return tuple(done.lines)

    def _engine_of(self, database: str) -> Engine:
        return Warehouse(self._url.set(database=database).render_as_string(hide_password=False)).engine

    @property
    def backup_command(self) -> str:
        """The command that makes a backup before an upgrade; asks for the password."""
        path = sqlite_path(self._url)
        if path is not None:
            return f"sqlite3 {path} \".backup '{path}.before'\""
        host = self._url.host or "localhost"
        login = f"-h {host} -P {self._url.port or 3306} -u {self._url.username or 'USER'} -p"
        database = self._url.database
        return f"mariadb-dump --single-transaction --routines --triggers {login} {database} > {database}-before.sql"

    def close(self) -> None:
        """Close idle connections; the next use opens new ones."""
        if "engine" in self.__dict__:
            self.engine.dispose()

    def _sqlite_engine(self) -> Engine:
        engine = create_engine(self._url, hide_parameters=True, connect_args={"timeout": self._lock_wait_seconds})
        event.listen(engine, "do_connect", self._refuse_missing_file)
        event.listen(engine, "connect", _own_transactions)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    def _refuse_missing_file(self, *_: Any) -> None:
        path = sqlite_path(self._url)
        if path is not None and not self._may_create and not path.exists():
            raise SchemaNotCurrent(self.name, "no such file", "run `lms-assets db upgrade` to create it")

    def _mysql_engine(self) -> Engine:
        engine = create_engine(
            _with_utf8mb4(self._url),
            hide_parameters=True,
            isolation_level="READ COMMITTED",
            pool_pre_ping=True,
            pool_recycle=1800,
            connect_args={
                "connect_timeout": min(_CONNECT_SECONDS, self._answer_seconds),
                "read_timeout": self._answer_seconds,
                "write_timeout": self._answer_seconds,
                "conv": _conversions(),
                "init_command": (
                    f"SET SESSION time_zone='+00:00', sql_mode='{_SQL_MODE}', "
                    f"innodb_lock_wait_timeout={self._lock_wait_seconds}"
                ),
            },
        )
        event.listen(engine, "begin", _begin_mysql)
        return engine


def streamed(connection: Connection, query: Select[Any]) -> Iterator[Any]:
    """Rows as they come; the driver keeps none. Nothing else may be asked on the connection before the last one."""
    return iter(connection.execute(query, execution_options={"stream_results": True}))


def _conversions() -> dict[Any, Callable[..., Any]]:
    """PyMySQL's own, but for instants: its way, an expression for each, costs more than the rest of a row."""
    from pymysql.constants import FIELD_TYPE
    from pymysql.converters import conversions, convert_datetime

    def read(text: str) -> Any:
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            return convert_datetime(text)

    def write(value: datetime, _mapping: Any = None) -> str:
        return f"'{value.replace(tzinfo=None)}'"

    return {**conversions, FIELD_TYPE.DATETIME: read, FIELD_TYPE.TIMESTAMP: read, datetime: write}


def _with_utf8mb4(url: URL) -> URL:
    return url.update_query_dict({"charset": "utf8mb4"})


def _own_transactions(connection: Any, _record: Any) -> None:
    # The driver would begin late and commit before DDL: it is told to do nothing, and _begin_sqlite begins.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql(f"PRAGMA query_only = {'OFF' if writes else 'ON'}")
    # A deferred transaction that reads before it writes fails at once when somebody wrote in between.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_mysql(connection: Connection) -> None:
    if not connection.get_execution_options().get(_WRITES, False):
        # Holds for the next transaction only, and several reads then agree with each other.
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
