"""Is a database at this code's version? Every command and every step asks: without Alembic, which takes long to load.

Our versions are kept in `lms_assets_schema_version`, so that a portal's own Alembic (`alembic_version`) is not touched.
"""

from __future__ import annotations

from sqlalchemy import Connection, column, inspect, select, table

from lms_assets.warehouse.errors import UPGRADE, SchemaNotCurrent
from lms_assets.warehouse.migrations.pending import PENDING
from lms_assets.warehouse.migrations.reconcile_texts import Texts
from lms_assets.warehouse.schema.migrated import VERSIONS
from lms_assets.warehouse.schema.tables import metadata

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
