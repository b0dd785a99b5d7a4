"""Bringing a database into shape by looking at it first, so that any step can be repeated, or only be planned.

Makes missing tables, columns and indexes; widens text columns that are too narrow; converts those whose character set
or collation does not hold or tell apart what this project writes; lets columns be NULL where this project writes NULL;
takes off the unique index on `lms_users.email` and foreign keys that refuse members. Never drops a table, a column or a
row, and leaves alone whatever it does not know.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import Any

from alembic.operations import BatchOperations, Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Column, Connection, Enum, Inspector, MetaData, String, Table, inspect, text
from sqlalchemy.dialects.mysql import ENUM as MYSQL_ENUM
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.schema import CreateTable
from sqlalchemy.types import TypeEngine

from lms_assets.warehouse.migrations.current import write_down
from lms_assets.warehouse.migrations.reconcile_indexes import (
    UNNAMED,
    Reconciled,
    add_indexes,
    do_pending,
    drop_references,
    drop_unique,
    set_aside,
)
from lms_assets.warehouse.migrations.reconcile_texts import Texts, converted_type, tied_columns
from lms_assets.warehouse.migrations.reconcile_values import FirstValues, first_values
from lms_assets.warehouse.schema.base import EXACT


def reconcile(connection: Connection, metadata: MetaData, done: Reconciled) -> None:
    """Bring every table of `metadata` into shape, or only plan it; what is done is added to `done`."""
    work = _Reconciler(connection, metadata, done)
    with work.foreign_keys_unchecked():
        values = work.first_values(metadata)
        work.drop_references(metadata)
        work.free_columns(metadata)
        for table in metadata.sorted_tables:
            work.bring_into_shape(table)
        work.finish(values)


class _Reconciler:
    def __init__(self, connection: Connection, metadata: MetaData, done: Reconciled) -> None:
        self._connection, self._done = connection, done
        self._operations = Operations(MigrationContext.configure(connection))
        self._mysql = connection.dialect.name == "mysql"
        self._texts = Texts(connection, metadata)
        self._metadata = metadata

    @cached_property
    def _copies(self) -> MetaData:
        """Our tables, to be changed for this database before they are made."""
        copies = MetaData(naming_convention=self._metadata.naming_convention)
        for table in self._metadata.tables.values():
            table.to_metadata(copies)
        return copies

    @contextmanager
    def foreign_keys_unchecked(self) -> Iterator[None]:
        """Rows were checked when a foreign key was made; putting it back need not do it again."""
        if not self._mysql or self._done.planning:
            yield
            return
        self._connection.execute(text("SET SESSION foreign_key_checks = 0"))
        try:
            yield
        finally:
            if not self._connection.invalidated:
                self._connection.execute(text("SET SESSION foreign_key_checks = 1"))

    def first_values(self, metadata: MetaData) -> list[FirstValues]:
        """What new columns are filled with, worked out while they are not there yet."""
        found = list(first_values(inspect(self._connection), metadata))
        for each in found:
            self._done.note("fill", f"{each.table}.{each.column} from {', '.join(each.sources)}")
            if self._mysql and not self._done.planning:
                write_down(self._connection, each.table, f"~2 values of {each.column}", each.statement)
        return found

    def finish(self, values: list[FirstValues]) -> None:
        """Fill new columns, and put back what was taken off."""
        if self._done.planning:
            return
        if self._mysql:
            do_pending(self._connection, self._done)
            return
        for each in values:
            self._connection.execute(text(each.statement))

    def drop_references(self, metadata: MetaData) -> None:
        """Take off the foreign keys that refuse rows which have to be stored."""
        inspector = inspect(self._connection)
        for table in metadata.sorted_tables:
            if inspector.has_table(table.name):
                drop_references(self._connection, table, self._batch, self._done)

    def free_columns(self, metadata: MetaData) -> None:
        """Take foreign keys off the columns that will be changed, and have columns at their other ends follow."""
        if not self._mysql:
            return
        inspector = inspect(self._connection)
        changing: dict[tuple[str, str], str | None] = {
            (table.name, name): self._texts.wanted(table.c[name])
            for table in metadata.sorted_tables
            if inspector.has_table(table.name)
            for name in self._wanted(table, _stored_columns(inspector, table))
        }
        converted = {place: collation for place, collation in changing.items() if collation is not None}
        tied = tied_columns(self._connection, self._texts, converted, set(metadata.tables))
        for (table, name), statement in tied.items():
            self._done.note("change", f"{table}.{name} with the column that a foreign key ties it to")
            if not self._done.planning:
                write_down(self._connection, table, f"~1 text of {name}", statement)
        if changing and not self._done.planning:
            set_aside(self._connection, {*changing, *tied})

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
        self._done.note("make", f"table {table.name}")
        if self._done.planning:
            return
        copy = self._copies.tables[table.name]
        copy.dialect_options["mysql"]["collate"] = self._texts.collation
        for constraint in copy.foreign_key_constraints:
            for element in constraint.elements:
                target = element.column
                # Texts are alike by now: what they refer to was converted before.
                if target.table is not copy and not isinstance(target.type, String):
                    element.parent.type = self._stored_type(inspector, target) or element.parent.type
        self._connection.execute(CreateTable(copy))
        for index in copy.indexes:
            index.create(self._connection)

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
        for name, change in wanted.items():
            self._done.note("change", f"{table.name}.{name}: {self._said(table.c[name], change)}")
        default = self._texts.table_needs_default(table.name)
        if default:
            self._done.note("change", f"{table.name}: new columns are utf8mb4")
        if self._done.planning:
            return
        quoted = self._connection.dialect.identifier_preparer.quote(table.name)
        if default:
            collation = self._texts.collation
            self._connection.exec_driver_sql(f"ALTER TABLE {quoted} DEFAULT CHARACTER SET utf8mb4 COLLATE {collation}")
        if not wanted:
            return
        if self._texts.has_short_keys(table.name):
            self._connection.exec_driver_sql(f"ALTER TABLE {quoted} ROW_FORMAT=DYNAMIC")
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

    def _change(self, column: Column[Any], stored: ReflectedColumn) -> dict[str, Any]:
        """What alter_column has to be told; nothing when the stored column can hold all that ours can."""
        change: dict[str, Any] = {}
        if column.nullable and not stored["nullable"]:
            change["nullable"] = True
        if not self._mysql or not isinstance(stored["type"], String) or isinstance(column.type, Enum):
            return change
        length = column.type.length if isinstance(column.type, String) else None
        was = stored["type"].length
        too_narrow = length is not None and was is not None and was < length
        collation = self._texts.wanted(column)
        if collation is not None or too_narrow or (length and isinstance(stored["type"], MYSQL_ENUM)):
            place = (column.table.name, column.name)
            kept = self._texts.columns[place].collation if place in self._texts.columns else None
            new_charset = collation is not None and self._texts.charset_of(place) != "utf8mb4"
            change["type_"] = converted_type(stored, length, collation or kept, new_charset=new_charset)
        return change

    def _add(self, table: Table, column: Column[Any]) -> None:
        self._done.note("add", f"{table.name}.{column.name}")
        if self._done.planning:
            return
        added: Column[Any] = Column(
            column.name,
            column.type,
            # Rows that are there already have no value for it.
            nullable=column.nullable or column.server_default is None,
            server_default=column.server_default.arg if column.server_default is not None else None,  # type: ignore[attr-defined]
        )
        self._operations.add_column(table.name, added)

    def _batch(self, table: Table, unnamed: dict[str, str] | None = None) -> AbstractContextManager[BatchOperations]:
        """Changes of one table; SQLite can do them only by rebuilding it, with all of its rows and columns."""
        return self._operations.batch_alter_table(table.name, naming_convention=unnamed or UNNAMED)

    def _said(self, column: Column[Any], change: dict[str, Any]) -> str:
        parts = []
        place = (column.table.name, column.name)
        if "type_" in change:
            charset, collation = self._texts.charset_of(place), self._texts.wanted(column)
            if collation is not None and charset != "utf8mb4":
                parts.append(f"from {charset} to utf8mb4")
            if collation == EXACT:
                parts.append("compared exactly, letter by letter")
            if length := getattr(change["type_"], "length", None):
                parts.append(f"{length} characters wide")
        if "nullable" in change:
            parts.append("may be NULL")
        return ", ".join(parts)

    def _warn(self, table: Table, stored: dict[str, ReflectedColumn]) -> None:
        for name, column in stored.items():
            unknown = name not in table.c and not column["nullable"] and column["default"] is None
            if unknown and column.get("autoincrement") is not True:
                self._done.warnings.append(
                    f"{table.name}.{name} is unknown to this project and must be given: new rows will be refused "
                    "unless it gets a default value"
                )


def _stored_columns(inspector: Inspector, table: Table) -> dict[str, ReflectedColumn]:
    return {column["name"]: column for column in inspector.get_columns(table.name)}
