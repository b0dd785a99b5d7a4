"""Taking foreign keys off while their columns are widened, which MySQL and MariaDB refuse otherwise.

What is taken off is written down in a table of its own first, so that an interrupted upgrade puts it back when it is
run again. SQLite needs none of this.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Column, Connection, MetaData, String, Table, Text, inspect, select

from lms_assets.warehouse.migrations.reconcile_indexes import Reconciled
from lms_assets.warehouse.tables_base import MYSQL_OPTIONS

__all__ = ["PENDING", "put_back", "set_aside"]

PENDING = "lms_assets_schema_pending"

_pending = Table(
    PENDING,
    MetaData(),
    Column("table_name", String(64), primary_key=True),
    Column("constraint_name", String(64), primary_key=True),
    Column("statement", Text, nullable=False),
    **MYSQL_OPTIONS,
)


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
            _write_down(connection, table, name, _statement(quote, table, dict(key)))
            connection.exec_driver_sql(f"ALTER TABLE {quote(table)} DROP FOREIGN KEY {quote(name)}")


def put_back(connection: Connection, done: Reconciled) -> None:
    """Put back what was taken off, now or by an upgrade that was interrupted."""
    if not inspect(connection).has_table(PENDING):
        return
    for table, name, statement in connection.execute(select(*_pending.c)).all():
        present = {str(key["name"]) for key in inspect(connection).get_foreign_keys(table)}
        if name not in present:
            # The driver reads a percent sign as the beginning of a parameter.
            connection.exec_driver_sql(statement.replace("%", "%%"))
            done.changes.append(f"put back the foreign key {table}.{name}")
    _pending.drop(connection)


def _write_down(connection: Connection, table: str, name: str, statement: str) -> None:
    _pending.create(connection, checkfirst=True)
    known = select(_pending.c.statement).where(_pending.c.table_name == table, _pending.c.constraint_name == name)
    if connection.execute(known).first() is None:
        values = {"table_name": table, "constraint_name": name, "statement": statement}
        connection.execute(_pending.insert().values(values))
    connection.commit()


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
