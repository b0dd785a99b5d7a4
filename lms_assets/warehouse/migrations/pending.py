"""What an upgrade of MySQL or MariaDB still has to do: written down first, so that running it again goes on.

These servers commit each change of a table by itself. A foreign key that was taken off, a column of another table that
has to follow, or the first values of a new column would be forgotten by an upgrade that stops in between. SQLite does
everything in one transaction and needs none of this.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Column, Connection, MetaData, String, Table, Text, delete, inspect, select

from lms_assets.warehouse.schema.base import MYSQL_OPTIONS

PENDING = "lms_assets_schema_pending"

_pending = Table(
    PENDING,
    MetaData(),
    Column("table_name", String(64), primary_key=True),
    # The name of a foreign key; other work is named `~1 ...`, `~2 ...` and comes before them.
    Column("constraint_name", String(64), primary_key=True),
    Column("statement", Text, nullable=False),
    **MYSQL_OPTIONS,
)


def write_down(connection: Connection, table: str, name: str, statement: str) -> None:
    """Keep a statement to be run at the end; the first one under a name counts."""
    _pending.create(connection, checkfirst=True)
    name = name[:64]
    known = select(_pending.c.statement).where(_pending.c.table_name == table, _pending.c.constraint_name == name)
    if connection.execute(known).first() is None:
        values = {"table_name": table, "constraint_name": name, "statement": statement}
        connection.execute(_pending.insert().values(values))
    connection.commit()


def pending_statements(connection: Connection) -> Iterator[tuple[str, str, str]]:
    """Table, name and statement of everything written down; numbered work first, foreign keys last."""
    if inspect(connection).has_table(PENDING):
        rows = [(row[0], row[1], row[2]) for row in connection.execute(select(*_pending.c))]
        yield from sorted(rows, key=lambda row: (not row[1].startswith("~"), row[1], row[0]))


def remove_pending(connection: Connection, table: str, name: str) -> None:
    """Forget a statement that was run."""
    c = _pending.c
    connection.execute(delete(_pending).where(c.table_name == table, c.constraint_name == name))
    connection.commit()


def drop_pending(connection: Connection) -> None:
    """Remove the table once nothing is left to do."""
    _pending.drop(connection, checkfirst=True)
