"""A table or column without a migration is noticed when the graph is loaded, not by the first step that needs it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Column, MetaData, String

from lms_assets.warehouse.migrations.current import VERSIONS, MigrationMissing, known_versions, require_migration
from lms_assets.warehouse.schema.tables import metadata

WITH_A_NEW_COLUMN = """
from sqlalchemy import Column, String
from lms_assets.warehouse.schema import tables
tables.lms_users.append_column(Column("forgotten", String(50)))
import lms_assets.definitions
"""


def test_all_tables_are_those_that_the_newest_migration_makes() -> None:
    require_migration()
    head = ScriptDirectory(str(VERSIONS.parent)).get_current_head()
    assert head == known_versions()[-1], "the name of a migration's file begins with its revision"


def test_a_column_whose_migration_was_forgotten_fails_the_load_with_what_to_do() -> None:
    """As `dg dev`, a step or a command meets it: all of them load the definitions."""
    result = subprocess.run(
        [sys.executable, "-c", WITH_A_NEW_COLUMN], capture_output=True, text=True, check=False, timeout=120
    )
    assert result.returncode == 1
    assert "The tables in lms_assets/warehouse/schema/ have changed since the migration" in result.stderr
    assert "lms-assets db upgrade" in result.stderr


@pytest.mark.parametrize("change", ["new", "wider", "required"])
def test_any_change_of_a_column_asks_for_a_migration(change: str) -> None:
    copy = MetaData()
    for table in metadata.tables.values():
        table.to_metadata(copy)
    users = copy.tables["lms_users"]
    if change == "new":
        users.append_column(Column("forgotten", String(50)))
    elif change == "wider":
        users.c.first_name.type = String(300)
    else:
        users.c.first_name.nullable = False
    with pytest.raises(MigrationMissing):
        require_migration(copy)
