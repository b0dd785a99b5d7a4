"""Has every table and column a migration? Asked when the graph is loaded, so that a forgotten one is noticed there."""

from __future__ import annotations

import re
from hashlib import blake2b
from pathlib import Path

from sqlalchemy import MetaData

from lms_assets.warehouse.schema.tables import metadata

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
