"""Foreign keys of MySQL and MariaDB while an upgrade changes their columns, and those that must not be there.

A foreign key is taken off while its columns change, which the servers refuse otherwise, and put back at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from alembic.operations import BatchOperations, Operations
from sqlalchemy import Connection, Index, Table, inspect
from sqlalchemy.exc import DBAPIError

from lms_assets.warehouse.errors import refused_row
from lms_assets.warehouse.migrations.current import (
    PENDING,
    drop_pending,
    pending_statements,
    remove_pending,
    write_down,
)

__all__ = [
    "NEVER_REFERRING",
    "NEVER_UNIQUE",
    "PENDING",
    "UNNAMED",
    "Reconciled",
    "add_indexes",
    "do_pending",
    "drop_references",
    "drop_unique",
    "set_aside",
]


NEVER_UNIQUE = {("lms_users", "email")}
"""Columns on which an older portal has a unique index that loses rows (portal schema, lms_users)."""

UNNAMED = {"uq": "uq_%(table_name)s_%(column_0_name)s"}
"""How a UNIQUE without a name is called while SQLite rebuilds its table."""

Batch = Callable[[Table], AbstractContextManager[BatchOperations]]


_DONE = {"make": "made", "add": "added", "change": "changed", "fill": "filled", "take off": "took off"}


@dataclass
class Reconciled:
    """One line for each thing that was changed, and for each that a person should look at.

    `planning`: nothing is changed, the lines say what would be.
    """

    planning: bool = False
    changes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def note(self, verb: str, what: str) -> None:
        """Add a line about a change: "make", "table leads" is "made table leads" once it is done."""
        self.changes.append(f"{verb if self.planning else _DONE.get(verb, verb)} {what}")


def drop_unique(operations: Operations, table: Table, batch: Batch, done: Reconciled) -> None:
    """Take the uniqueness off the columns of NEVER_UNIQUE; the plain index comes with add_indexes."""
    inspector = inspect(operations.get_bind())
    on_sqlite = operations.get_bind().dialect.name == "sqlite"
    for index in inspector.get_indexes(table.name):
        columns = [str(name) for name in index["column_names"]]
        if not index["unique"] or len(columns) != 1 or (table.name, columns[0]) not in NEVER_UNIQUE:
            continue
        if on_sqlite and index.get("duplicates_constraint"):
            continue
        done.note("make", f"the index on {table.name}.{columns[0]} not unique")
        if done.planning:
            continue
        # The plain one first: MySQL keeps an index for as long as a foreign key needs it.
        plain = f"ix_{table.name}_{columns[0]}"
        if index["name"] == plain:
            plain += "_plain"
        if plain not in {other["name"] for other in inspector.get_indexes(table.name)}:
            operations.create_index(plain, table.name, columns)
        operations.drop_index(str(index["name"]), table_name=table.name)
    if on_sqlite:
        _drop_unique_constraint(table, batch, done, operations)


def _drop_unique_constraint(table: Table, batch: Batch, done: Reconciled, operations: Operations) -> None:
    """SQLite keeps a UNIQUE written in CREATE TABLE as a constraint: the table is rebuilt without it."""
    for constraint in inspect(operations.get_bind()).get_unique_constraints(table.name):
        columns = constraint["column_names"]
        if len(columns) == 1 and (table.name, columns[0]) in NEVER_UNIQUE:
            done.note("make", f"{table.name}.{columns[0]} not unique")
            if done.planning:
                continue
            with batch(table) as changes:
                changes.drop_constraint(constraint["name"] or f"uq_{table.name}_{columns[0]}", type_="unique")


def add_indexes(operations: Operations, table: Table, done: Reconciled) -> None:
    """Make the indexes that no existing one stands in for (same leading columns; a unique one only for itself)."""
    inspector = inspect(operations.get_bind())
    plain = [tuple(index["column_names"]) for index in inspector.get_indexes(table.name)]
    plain.append(tuple(inspector.get_pk_constraint(table.name)["constrained_columns"]))
    unique = [tuple(index["column_names"]) for index in inspector.get_indexes(table.name) if index["unique"]]
    constraints = [tuple(c["column_names"]) for c in inspector.get_unique_constraints(table.name)]
    for index in sorted(table.indexes, key=lambda each: str(each.name)):
        columns = tuple(index.columns.keys())
        if index.unique:
            exists = columns in unique or columns in constraints
        else:
            exists = any(other[: len(columns)] == columns for other in plain + constraints)
        if not exists:
            _make(operations, table, index, done)


def _make(operations: Operations, table: Table, index: Index, done: Reconciled) -> None:
    columns = list(index.columns.keys())
    if done.planning:
        done.note("make", f"index {index.name}")
        return
    try:
        operations.create_index(str(index.name), table.name, columns, unique=bool(index.unique))
    except DBAPIError as error:
        if not refused_row(error):
            raise
        done.warnings.append(
            f"{table.name} holds the same {', '.join(columns)} twice, so that it cannot be made unique: remove one"
        )
        return
    done.note("make", f"index {index.name}")


NEVER_REFERRING = {("lms_group_members", "group_id"), ("lms_group_members", "user_id")}
"""Columns that may hold ids of nobody, since the LMS lists members who are gone: no foreign key may refuse them."""

_UNNAMED = {"fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s"}


def set_aside(connection: Connection, columns: Collection[tuple[str, str]]) -> None:
    """Take off every foreign key, a portal's own ones too, that begins or ends at one of these (table, column)s."""
    quote = connection.dialect.identifier_preparer.quote
    found = inspect(connection).get_multi_foreign_keys()
    for (_, table), keys in sorted(found.items(), key=lambda item: item[0][1]):
        for key in keys:
            ends = [(table, name) for name in key["constrained_columns"]]
            ends += [(key["referred_table"], name) for name in key["referred_columns"]]
            if not set(ends) & set(columns):
                continue
            name = str(key["name"])
            write_down(connection, table, name, _statement(quote, table, dict(key)))
            connection.exec_driver_sql(f"ALTER TABLE {quote(table)} DROP FOREIGN KEY {quote(name)}")


def do_pending(connection: Connection, done: Reconciled) -> None:
    """Do what was written down, now or by an upgrade that was interrupted: columns, values, then foreign keys.

    `done` is told which keys were put back.

    Raises:
        DBAPIError: a statement fails; it and those after it stay written down.
    """
    for table, name, statement in pending_statements(connection):
        is_foreign_key = not name.startswith("~")
        present = {str(key["name"]) for key in inspect(connection).get_foreign_keys(table)} if is_foreign_key else set()
        if name not in present:
            # The driver reads a percent sign as the beginning of a parameter.
            connection.exec_driver_sql(statement.replace("%", "%%"))
            if is_foreign_key:
                done.note("put back", f"the foreign key {table}.{name}")
        remove_pending(connection, table, name)
    drop_pending(connection)


def drop_references(connection: Connection, table: Table, batch: Any, done: Reconciled) -> None:
    """Take the foreign keys off the columns of NEVER_REFERRING, for good."""
    for key in inspect(connection).get_foreign_keys(table.name):
        columns = [(table.name, name) for name in key["constrained_columns"]]
        if not set(columns) & NEVER_REFERRING:
            continue
        where = ", ".join(f"{table.name}.{name}" for _, name in columns)
        done.note("take off", f"the foreign key on {where}: the LMS lists members who are gone")
        if not done.planning:
            unnamed = f"fk_{table.name}_{key['constrained_columns'][0]}_{key['referred_table']}"
            changes: BatchOperations
            with batch(table, _UNNAMED) as changes:
                changes.drop_constraint(key["name"] or unnamed, type_="foreignkey")


def _statement(quote: Any, table: str, key: dict[str, Any]) -> str:
    columns = ", ".join(quote(name) for name in key["constrained_columns"])
    referred = ", ".join(quote(name) for name in key["referred_columns"])
    options = key.get("options") or {}
    rules = "".join(
        f" {words} {options[option]}"
        for option, words in (("ondelete", "ON DELETE"), ("onupdate", "ON UPDATE"))
        if options.get(option)
    )
    return (
        f"ALTER TABLE {quote(table)} ADD CONSTRAINT {quote(key['name'])} FOREIGN KEY ({columns}) "
        f"REFERENCES {quote(key['referred_table'])} ({referred}){rules}"
    )
