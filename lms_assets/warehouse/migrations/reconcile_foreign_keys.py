"""Foreign keys of MySQL and MariaDB while an upgrade changes their columns, and those that must not be there.

A foreign key is taken off while its columns change, which the servers refuse otherwise, and put back at the end.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from alembic.operations import BatchOperations
from sqlalchemy import Connection, Table, inspect

from lms_assets.warehouse.migrations.pending import (
    PENDING,
    drop_pending,
    pending_statements,
    remove_pending,
    write_down,
)
from lms_assets.warehouse.migrations.reconcile_indexes import Reconciled

__all__ = ["NEVER_REFERRING", "PENDING", "do_pending", "drop_references", "set_aside"]

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
    """Do what was written down, now or by an upgrade that was interrupted: columns, values, then foreign keys."""
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
