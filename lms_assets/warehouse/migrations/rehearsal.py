"""The statements of an upgrade of MySQL or MariaDB, found by doing it on a copy of the tables without their rows.

These servers cannot take a change of a table back, so the only true list of statements is the one that was run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, event, text

from lms_assets.warehouse.errors import AccessDenied, UpgradeRefused, WarehouseError, translated
from lms_assets.warehouse.migrations.pending import PENDING
from lms_assets.warehouse.migrations.reconcile_indexes import Reconciled

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
