"""What makes an existing database unfit for an upgrade. Everything is found before anything is changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column, Connection, Inspector, MetaData, Table, inspect, text

from lms_assets.warehouse.migrations.reconcile_texts import Texts

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
