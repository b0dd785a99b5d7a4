"""Bringing a database into shape by looking at it first, so that any step can be repeated.

Makes missing tables, columns and indexes; widens text columns that are too narrow; lets columns be NULL where this
project writes NULL; replaces the unique index on `lms_users.email`. Never drops a table, a column or a row, and
leaves alone whatever it does not know.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from alembic.operations import BatchOperations, Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Column, Connection, Enum, Inspector, MetaData, String, Table, inspect, text
from sqlalchemy.dialects.mysql import ENUM as MYSQL_ENUM
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.schema import CreateTable
from sqlalchemy.types import TypeEngine

from lms_assets.warehouse.migrations.reconcile_foreign_keys import put_back, set_aside
from lms_assets.warehouse.migrations.reconcile_indexes import UNNAMED, Reconciled, add_indexes, drop_unique

__all__ = ["reconcile"]


def reconcile(connection: Connection, metadata: MetaData, done: Reconciled) -> None:
    """Bring every table of `metadata` into shape; what was done is added to `done`."""
    work = _Reconciler(connection, done)
    with work.foreign_keys_unchecked():
        work.free_columns(metadata)
        for table in metadata.sorted_tables:
            work.bring_into_shape(table)
        if connection.dialect.name == "mysql":
            put_back(connection, done)


class _Reconciler:
    def __init__(self, connection: Connection, done: Reconciled) -> None:
        self._connection, self._done = connection, done
        self._operations = Operations(MigrationContext.configure(connection))
        self._mysql = connection.dialect.name == "mysql"
        self._collation = self._existing_collation() if self._mysql else None

    @contextmanager
    def foreign_keys_unchecked(self) -> Iterator[None]:
        """Rows were checked when a foreign key was made; putting it back need not do it again."""
        if not self._mysql:
            yield
            return
        self._connection.execute(text("SET SESSION foreign_key_checks = 0"))
        try:
            yield
        finally:
            if not self._connection.invalidated:
                self._connection.execute(text("SET SESSION foreign_key_checks = 1"))

    def free_columns(self, metadata: MetaData) -> None:
        """Take foreign keys off the columns that will be changed."""
        if not self._mysql:
            return
        inspector = inspect(self._connection)
        changing = {
            (table.name, name)
            for table in metadata.sorted_tables
            if inspector.has_table(table.name)
            for name in self._wanted(table, _stored_columns(inspector, table))
        }
        if changing:
            set_aside(self._connection, changing)

    def bring_into_shape(self, table: Table) -> None:
        inspector = inspect(self._connection)
        if not inspector.has_table(table.name):
            self._create(table, inspector)
            return
        drop_unique(self._operations, table, self._batch, self._done)
        stored = _stored_columns(inspector, table)
        self._alter(table, stored)
        for column in table.c:
            if column.name not in stored:
                self._add(table, column)
        add_indexes(self._operations, table, self._done)
        self._warn(table, stored)

    def _create(self, table: Table, inspector: Inspector) -> None:
        """Make a table; its references take the type of what they refer to, which a portal may have made otherwise."""
        scratch = MetaData(naming_convention=table.metadata.naming_convention)
        for other in table.metadata.tables.values():
            other.to_metadata(scratch)
        copy = scratch.tables[table.name]
        if self._collation:
            copy.dialect_options["mysql"]["collate"] = self._collation
        for constraint in copy.foreign_key_constraints:
            for element in constraint.elements:
                target = element.column
                if target.table is not copy:
                    element.parent.type = self._stored_type(inspector, target) or element.parent.type
        self._connection.execute(CreateTable(copy))
        for index in copy.indexes:
            index.create(self._connection)
        self._done.changes.append(f"made table {table.name}")

    def _stored_type(self, inspector: Inspector, column: Column[Any]) -> TypeEngine[Any] | None:
        if not self._mysql:
            return None
        for stored in inspector.get_columns(column.table.name):
            if stored["name"] == column.name:
                return stored["type"]
        return None

    def _wanted(self, table: Table, stored: dict[str, ReflectedColumn]) -> dict[str, dict[str, Any]]:
        return {
            column.name: change
            for column in table.c
            if column.name in stored and (change := self._change(column, stored[column.name]))
        }

    def _alter(self, table: Table, stored: dict[str, ReflectedColumn]) -> None:
        wanted = self._wanted(table, stored)
        if not wanted:
            return
        with self._batch(table) as batch:
            for name, change in wanted.items():
                was = stored[name]
                batch.alter_column(
                    name,
                    existing_type=was["type"],
                    existing_nullable=was["nullable"],
                    existing_server_default=text(was["default"]) if was["default"] else None,
                    existing_comment=was.get("comment"),
                    **change,
                )
        self._done.changes.extend(f"changed {table.name}.{name}: {_said(c)}" for name, c in wanted.items())

    def _change(self, column: Column[Any], stored: ReflectedColumn) -> dict[str, Any]:
        """What alter_column has to be told; nothing when the stored column can hold all that ours can."""
        change: dict[str, Any] = {}
        if column.nullable and not stored["nullable"]:
            change["nullable"] = True
        length = column.type.length if isinstance(column.type, String) else None
        if self._mysql and length and not isinstance(column.type, Enum) and isinstance(stored["type"], String):
            was = stored["type"].length
            collation = getattr(stored["type"], "collation", None)
            if isinstance(stored["type"], MYSQL_ENUM):
                longest = max((len(value) for value in stored["type"].enums), default=0)
                change["type_"] = String(max(length, longest), collation=collation)
            elif was is not None and was < length:
                change["type_"] = String(length, collation=collation)
        return change

    def _add(self, table: Table, column: Column[Any]) -> None:
        added: Column[Any] = Column(
            column.name,
            column.type,
            # Rows that are there already have no value for it.
            nullable=column.nullable or column.server_default is None,
            server_default=column.server_default.arg if column.server_default is not None else None,  # type: ignore[attr-defined]
        )
        self._operations.add_column(table.name, added)
        self._done.changes.append(f"added {table.name}.{column.name}")

    def _batch(self, table: Table) -> AbstractContextManager[BatchOperations]:
        """Changes of one table; SQLite can do them only by rebuilding it, with all of its rows and columns."""
        return self._operations.batch_alter_table(table.name, naming_convention=UNNAMED)

    def _existing_collation(self) -> str | None:
        """Collation of a portal that is being adopted: texts of two collations cannot be joined."""
        query = text(
            "SELECT table_collation FROM information_schema.tables WHERE table_schema = DATABASE() "
            "AND table_name IN ('partners', 'lms_users') AND table_collation LIKE 'utf8mb4%' ORDER BY table_name DESC"
        )
        return self._connection.execute(query).scalars().first()

    def _warn(self, table: Table, stored: dict[str, ReflectedColumn]) -> None:
        for name, column in stored.items():
            if name in table.c:
                collation = getattr(column["type"], "collation", None) or "utf8mb4"
                if not collation.startswith("utf8mb4"):
                    self._done.warnings.append(
                        f"{table.name}.{name} is {collation}: some names cannot be stored; "
                        f"ALTER TABLE {table.name} CONVERT TO CHARACTER SET utf8mb4"
                    )
            elif not column["nullable"] and column["default"] is None and column.get("autoincrement") is not True:
                self._done.warnings.append(
                    f"{table.name}.{name} is unknown to this project and must be given: new rows will be refused "
                    "unless it gets a default value"
                )


def _stored_columns(inspector: Inspector, table: Table) -> dict[str, ReflectedColumn]:
    return {column["name"]: column for column in inspector.get_columns(table.name)}


def _said(change: dict[str, Any]) -> str:
    parts = []
    if "type_" in change:
        parts.append(f"now {change['type_'].length} characters wide")
    if "nullable" in change:
        parts.append("may be NULL")
    return ", ".join(parts)
