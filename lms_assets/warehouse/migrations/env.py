"""Alembic's entry: runs the versions on the connection that migrations.upgrade hands over."""

from __future__ import annotations

from alembic import context

from lms_assets.warehouse.migrations.current import VERSION_TABLE
from lms_assets.warehouse.schema.tables import metadata

connection = context.config.attributes["connection"]
if connection is None:
    raise RuntimeError("run migrations with `lms-assets db upgrade`")
context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    # The caller has begun: on SQLite one transaction for everything, on MySQL there is none for DDL.
    transactional_ddl=False,
)
context.run_migrations()
