"""Creating and changing the warehouse's tables, with Alembic, from code: no alembic.ini, no command of its own.

What makes an existing database unfit for it is found before anything is changed; what a person should look at after it
is said at the end. The statements of an upgrade of MySQL or MariaDB are found by doing it on a copy of the tables
without their rows: these servers cannot take a change of a table back, so the only true list is the one that was run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Column, Connection, Engine, Inspector, MetaData, Table, event, inspect, select, text

from lms_assets.domain.wording import number_of
from lms_assets.warehouse.errors import AccessDenied, LockedByOthers, UpgradeRefused, WarehouseError, translated
from lms_assets.warehouse.migrations.current import PENDING, current_version, known_versions
from lms_assets.warehouse.migrations.data_steps import lower_case_emails
from lms_assets.warehouse.migrations.reconcile import reconcile
from lms_assets.warehouse.migrations.reconcile_indexes import Reconciled
from lms_assets.warehouse.migrations.reconcile_texts import Texts
from lms_assets.warehouse.schema.tables import metadata, scheduled_tasks
from lms_assets.warehouse.server import FOR_UPGRADES, missing_rights, rows_of, server_facts


def other_schedulers(connection: Connection, done: Reconciled) -> None:
    """Warn of tasks that a portal's own scheduler would start beside Dagster's schedules."""
    c = scheduled_tasks.c
    enabled = list(connection.execute(select(c.task_type).where(c.enabled.is_(True)).order_by(c.task_type)).scalars())
    if enabled:
        done.warnings.append(
            f"scheduled_tasks holds {number_of(len(enabled), 'enabled row')} ({', '.join(enabled[:20])}): a "
            "scheduler of the portal's own would start them beside Dagster's schedules; "
            "lms-assets migration --switch-off-old ends that"
        )


_ENGINES = """
    SELECT table_name, engine FROM information_schema.tables
    WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'"""
SHOWN = 5


def refusals(connection: Connection, metadata: MetaData) -> tuple[str, ...]:
    """One line for each obstacle: the table, what is wrong with it, and what to do."""
    inspector = inspect(connection)
    views = set(inspector.get_view_names())
    tables = set(inspector.get_table_names())
    mysql = connection.dialect.name == "mysql"
    engines = {row[0]: row[1] for row in connection.execute(text(_ENGINES))} if mysql else {}
    texts = Texts(connection, metadata)
    found: list[str] = []
    for table in metadata.sorted_tables:
        if table.name in views:
            found.append(f"{table.name} is a view: rename it, the table of this name is written by this program")
        elif table.name in tables:
            found += _of_table(inspector, table, engines.get(table.name))
            if mysql:
                found += _equal_values(connection, inspector, table, texts)
    return tuple(found)


def _of_table(inspector: Inspector, table: Table, engine: str | None) -> Iterator[str]:
    name = table.name
    if engine is not None and engine.lower() != "innodb":
        yield f"{name} is a {engine} table, without transactions: ALTER TABLE {name} ENGINE=InnoDB"
    columns = {column["name"]: column for column in inspector.get_columns(name)}
    key = [column.name for column in table.primary_key.columns]
    missing = [each for each in key if each not in columns]
    if missing:
        yield f"{name} has no column {', '.join(missing)}, by which its rows are known: add it, or rename the table"
    elif not inspector.get_pk_constraint(name)["constrained_columns"]:
        yield f"{name} has no primary key: ALTER TABLE {name} ADD PRIMARY KEY ({', '.join(key)})"
    for column in table.c:
        if column.name in columns and columns[column.name].get("computed"):
            yield f"{name}.{column.name} is computed by the database and cannot be written: rename that column"


def _equal_values(connection: Connection, inspector: Inspector, table: Table, texts: Texts) -> Iterator[str]:
    """Rows that a unique index would not tell from each other after the conversion."""
    unique = {tuple(index["column_names"]) for index in inspector.get_indexes(table.name) if index["unique"]}
    unique.add(tuple(inspector.get_pk_constraint(table.name)["constrained_columns"]))
    for column in table.c:
        collation = texts.wanted(column)
        if collation is not None and (column.name,) in unique:
            groups = _groups(connection, table, column, collation)
            if groups:
                what = f"would be equal in {table.name}.{column.name} as {collation}"
                yield f"rows {'; '.join(groups)} {what}: rename one of each"


def _groups(connection: Connection, table: Table, column: Column[Any], collation: str) -> list[str]:
    quote = connection.dialect.identifier_preparer.quote
    key = ", ".join(quote(each.name) for each in table.primary_key)
    value = f"CONVERT({quote(column.name)} USING utf8mb4) COLLATE {collation}"
    query = (
        f"SELECT GROUP_CONCAT(CONCAT_WS('/', {key}) SEPARATOR ' and ') FROM {quote(table.name)} "  # noqa: S608
        f"WHERE {quote(column.name)} IS NOT NULL GROUP BY {value} HAVING COUNT(*) > 1 ORDER BY 1 LIMIT {SHOWN}"
    )
    return [str(row[0]) for row in connection.execute(text(query))]


_LOCK = "lms_assets_schema"
_LOCK_SECONDS = 60


@dataclass(frozen=True)
class UpgradeReport:
    """What an upgrade did.

    Attributes:
        before, after: schema versions; before is None for a database that this project never touched.
        changes: one line for each table, column or index that was made or changed.
        warnings: what a person should look at; nothing was lost.
    """

    before: str | None
    after: str
    changes: tuple[str, ...]
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        if not self.changes:
            text = f"tables are at version {self.after}, nothing to change"
        else:
            text = f"tables are now at version {self.after}; {number_of(len(self.changes), 'change')}"
        return "\n".join([text, *(f"  warning: {warning}" for warning in self.warnings)])


@dataclass(frozen=True)
class UpgradePlan:
    """What an upgrade would do; `refusals` say why it would not begin, each with what to do.

    `warnings` are what a person should look at: it stays as it is.
    """

    changes: tuple[str, ...]
    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    rows: int = 0
    """About how many rows the tables hold that are there already; 0 where nobody counts them (SQLite)."""


def _config(connection: Connection | None = None, done: Reconciled | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", "lms_assets.warehouse:migrations")
    config.attributes["connection"] = connection
    config.attributes["done"] = done
    return config


def refuse_unfit(connection: Connection, where: str) -> None:
    """Raise UpgradeRefused where something under our names cannot be used, whoever runs the upgrade."""
    if refused := refusals(connection, metadata):
        raise UpgradeRefused(where, refused)


def plan_upgrade(connection: Connection) -> UpgradePlan:
    """What `upgrade` would do with this database, worked out by reading only."""
    refused = refusals(connection, metadata)
    if refused:
        return UpgradePlan((), refused)
    plan = Reconciled(planning=True)
    reconcile(connection, metadata, plan)
    if current_version(connection) != known_versions()[-1]:
        lower_case_emails(connection, plan)
    changes, warnings = tuple(plan.changes), tuple(plan.warnings)
    if connection.dialect.name != "mysql" or not changes:
        return UpgradePlan(changes, warnings=warnings)
    facts = server_facts(connection)
    missing = missing_rights(facts.grants, facts.database, metadata.tables, FOR_UPGRADES)
    refused = _rights_refusal(missing or (), facts.database)
    return UpgradePlan(changes, refused, warnings, rows_of(connection, metadata))


def _rights_refusal(missing: tuple[str, ...], database: str) -> tuple[str, ...]:
    if not missing:
        return ()
    rights = ", ".join(missing)
    remedy = f"GRANT {rights} ON `{database}`.* TO it, or give the DBA the file of `lms-assets db upgrade --sql FILE`"
    return (f"this user lacks {rights}: {remedy}",)


def upgrade(engine: Engine, where: str, done: Reconciled | None = None) -> UpgradeReport:
    """Bring the database to this code's version.

    On SQLite everything is one transaction. MySQL commits each change of a table by itself; every step looks first at
    what is there, so that running it again goes on where it stopped.

    Args:
        done: what was done is added to it; for whoever wants to follow.

    Raises:
        UpgradeRefused: a right is missing, or something under our names cannot be used; nothing was changed.
        LockedByOthers: another upgrade is under way.
        SQLAlchemy's errors, for Warehouse.upgrade to translate.
    """
    with _exclusive(engine, where) as connection:
        if refused := plan_upgrade(connection).refusals:
            raise UpgradeRefused(where, refused)
        before = current_version(connection)
        done = done if done is not None else Reconciled()
        command.upgrade(_config(connection, done), "head")
        # Also fixes what was dropped or altered by hand since.
        reconcile(connection, metadata, done)
        other_schedulers(connection, done)
        after = current_version(connection) or ""
    return UpgradeReport(before, after, tuple(done.changes), tuple(dict.fromkeys(done.warnings)))


@contextmanager
def _exclusive(engine: Engine, where: str) -> Iterator[Connection]:
    """One connection that no other upgrade can have at the same time."""
    with engine.connect() as plain:
        connection = plain.execution_options(lms_writes=True)
        if engine.dialect.name == "sqlite":
            with _sqlite_exclusive(connection):
                yield connection
            return
        got = connection.execute(text("SELECT GET_LOCK(:name, :wait)"), {"name": _LOCK, "wait": _LOCK_SECONDS})
        if got.scalar_one() != 1:
            raise LockedByOthers(where, "another upgrade is under way", "run it again when that is done")
        try:
            yield connection
            connection.commit()
        finally:
            if not connection.invalidated:
                connection.rollback()
                connection.execute(text("SELECT RELEASE_LOCK(:name)"), {"name": _LOCK})


@contextmanager
def _sqlite_exclusive(connection: Connection) -> Iterator[None]:
    raw = connection.connection.driver_connection
    if raw is None:
        raise RuntimeError("the connection was closed")
    raw.execute("PRAGMA journal_mode = WAL")
    # A table is rebuilt by dropping it, which must not cascade; SQLite heeds this only outside a transaction.
    raw.execute("PRAGMA foreign_keys = OFF")
    try:
        with connection.begin():
            yield
    finally:
        raw.execute("PRAGMA foreign_keys = ON")


SUFFIX = "_lms_plan"
# Rows that a new warehouse starts with, and the version, are written by `db upgrade` itself.
_KEPT = ("CREATE", "ALTER", "DROP", "UPDATE")
_TABLES = (
    "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'"
)
_THERE = "SELECT 1 FROM information_schema.schemata WHERE schema_name = :name"
_DEFAULTS = """SELECT default_character_set_name, default_collation_name FROM information_schema.schemata
    WHERE schema_name = DATABASE()"""


@dataclass
class Recorded(Reconciled):
    """What an upgrade said and ran, in its order; what it said is a line with `-- ` in front."""

    def __post_init__(self) -> None:
        self.lines: list[str] = []

    def note(self, verb: str, what: str) -> None:
        """Also keep it as the reason of the statements beside it."""
        super().note(verb, what)
        self.lines.append(f"-- {verb} {what}")

    def ran(self, statement: str) -> None:
        """Keep a statement that changes tables or values of rows."""
        statement = statement.strip()
        if statement.upper().startswith(_KEPT) and PENDING not in statement:
            self.lines.append(f"{statement};")


@contextmanager
def copy_of_tables(engine: Engine, where: str, engine_of: Callable[[str], Engine]) -> Iterator[Engine]:
    """An engine on a database with the same tables and no row, which is dropped at the end.

    Args:
        engine_of: makes an engine for another database of the same server.

    Raises:
        AccessDenied: this user may not make it.
        UpgradeRefused: a database of that name is there.
    """
    with translated(where), engine.connect() as plain:
        connection = plain.execution_options(isolation_level="AUTOCOMMIT")
        database = str(connection.execute(text("SELECT DATABASE()")).scalar_one())
        name = f"{database[: 64 - len(SUFFIX)]}{SUFFIX}"
        if connection.execute(text(_THERE), {"name": name}).first():
            problem = f"a database {name} is there, which is where statements are tried: DROP DATABASE `{name}`"
            raise UpgradeRefused(where, (problem,))
        charset, collation = connection.execute(text(_DEFAULTS)).one()
        tables = [str(row[0]) for row in connection.execute(text(_TABLES))]
        made = [connection.exec_driver_sql(f"SHOW CREATE TABLE `{table}`").one()[1] for table in tables]
        connection.exec_driver_sql(f"CREATE DATABASE `{name}` CHARACTER SET {charset} COLLATE {collation}")
    copy = engine_of(name)
    try:
        with translated(where), copy.connect() as plain:
            connection = plain.execution_options(isolation_level="AUTOCOMMIT")
            connection.exec_driver_sql("SET SESSION foreign_key_checks = 0")
            for statement in made:
                connection.exec_driver_sql(str(statement).replace("%", "%%"))
        copy.dispose()
        yield copy
    finally:
        copy.dispose()
        with engine.connect() as plain:
            plain.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(f"DROP DATABASE `{name}`")


@contextmanager
def recording(engine: Engine, done: Recorded) -> Iterator[None]:
    """Keep every statement that the engine sends, as the server gets it."""

    def keep(_: Any, cursor: Any, statement: str, parameters: Any, __: Any, many: bool) -> None:
        for values in parameters if many else (parameters,):
            done.ran(cursor.mogrify(statement, values))

    event.listen(engine, "before_cursor_execute", keep)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", keep)


def needs_a_copy(error: AccessDenied) -> WarehouseError:
    """What to do where the copy cannot be made."""
    problem = "the statements are found on a copy of the tables, which this user may not make"
    return AccessDenied(error.where, problem, "run this as a user who may make a database, such as the DBA's")
