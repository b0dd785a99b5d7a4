"""Indexes of a database that is brought into shape: missing ones made, the harmful unique one replaced."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from alembic.operations import BatchOperations, Operations
from sqlalchemy import Index, Table, inspect
from sqlalchemy.exc import DBAPIError

from lms_assets.warehouse.errors import refused_row

__all__ = ["NEVER_UNIQUE", "UNNAMED", "Reconciled", "add_indexes", "drop_unique"]

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
