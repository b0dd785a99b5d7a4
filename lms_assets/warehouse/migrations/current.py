"""Is a database at this code's version, has the code a migration for every column, and what has an upgrade still to do?

The first every command and every step asks: without Alembic, which takes long to load. The second is asked when the
graph is loaded, so that a forgotten migration is noticed there. Our versions are kept in `lms_assets_schema_version`,
so that a portal's own Alembic (`alembic_version`) is not touched.

What an upgrade of MySQL or MariaDB still has to do is written down first, so that running it again goes on: these
servers commit each change of a table by itself. A foreign key that was taken off, a column of another table that has to
follow, or the first values of a new column would be forgotten by an upgrade that stops in between. SQLite does
everything in one transaction and needs none of this.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, String, Table, Text, column, delete, inspect, select, table

from lms_assets.warehouse.errors import UPGRADE, SchemaNotCurrent
from lms_assets.warehouse.migrations.reconcile_texts import Texts
from lms_assets.warehouse.schema.base import MYSQL_OPTIONS
from lms_assets.warehouse.schema.tables import metadata

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


VERSIONS = Path(__file__).parents[1] / "migrations" / "versions"


class MigrationMissing(Exception):
    """The tables in the code are not those that the newest migration makes."""


def fingerprint(tables: MetaData) -> str:
    """8 hex digits over tables, columns, their types, lengths and whether they may be empty."""
    columns = sorted(
        f"{column} {type(column.type).__name__} {getattr(column.type, 'length', None)} {column.nullable}"
        for table in tables.tables.values()
        for column in table.columns
    )
    return blake2b("\n".join(columns).encode(), digest_size=4).hexdigest()


def require_migration(tables: MetaData = metadata, versions: Path = VERSIONS) -> None:
    """Compare the tables with the fingerprint in the newest migration, whose text is read: Alembic takes long to load.

    Raises:
        MigrationMissing: says which migration to add, and what it must hold.
    """
    newest = max(versions.glob("v[0-9]*.py"))
    wanted, now = (
        re.search(r'^tables = "(\w+)"$', newest.read_text(encoding="utf-8"), re.MULTILINE),
        fingerprint(tables),
    )
    if wanted is None or wanted[1] != now:
        following = f"{int(newest.name[1:5]) + 1:04}"
        raise MigrationMissing(
            f"The tables in lms_assets/warehouse/schema/ have changed since the migration {newest.name}. Add the "
            f'migration v{following}_<what>.py beside it, from migrations/script.py.mako, with tables = "{now}"; then '
            "run lms-assets db upgrade. The migration has to be in the same commit as the tables."
        )


VERSION_TABLE = "lms_assets_schema_version"


def known_versions() -> list[str]:
    """The versions of the tables that this code knows, the newest last: it works with that one."""
    return sorted(path.name[1:5] for path in VERSIONS.glob("v[0-9]*.py"))


def current_version(connection: Connection) -> str | None:
    """Version of the tables in the database; None when this project never finished an upgrade there."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    version: str | None = connection.execute(select(column("version_num")).select_from(table(VERSION_TABLE))).scalar()
    return version


def require_current(connection: Connection, where: str) -> None:
    """Raise SchemaNotCurrent unless the database is at this code's version and has all of its tables."""
    current, known = current_version(connection), known_versions()
    if current is None:
        raise SchemaNotCurrent(where, "has no tables of this project, or an upgrade of them stopped half-way", UPGRADE)
    if current not in known:
        raise SchemaNotCurrent(where, f"is at version {current}, newer than this program", "install its newer release")
    if current != known[-1]:
        raise SchemaNotCurrent(where, f"is at version {current}, this program needs {known[-1]}", UPGRADE)
    tables = set(inspect(connection).get_table_names())
    if PENDING in tables:
        raise SchemaNotCurrent(where, "an upgrade stopped half-way", UPGRADE)
    missing = sorted(set(metadata.tables) - tables)
    if missing:
        raise SchemaNotCurrent(where, f"lacks the table {', '.join(missing)}", UPGRADE)
    texts = Texts(connection, metadata)
    foreign = [f"{t.name}.{c.name}" for t in metadata.sorted_tables for c in t.c if texts.wanted(c) is not None]
    if foreign:
        shown = ", ".join(foreign[:5]) + (f" and {len(foreign) - 5} more" if len(foreign) > 5 else "")
        raise SchemaNotCurrent(
            where, f"cannot hold or compare every text in {shown} (character set, collation)", UPGRADE
        )
