"""Columns and tables that came with the second round of safety work: made where missing, nothing is removed."""

from __future__ import annotations

from alembic import context, op

from lms_assets.warehouse.migrations.data_steps import (
    fill_handed_over_at,
    fill_period,
    fill_transcript_read_at,
    lower_case_emails,
)
from lms_assets.warehouse.migrations.reconcile import reconcile
from lms_assets.warehouse.schema.tables import metadata

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
# Of the tables that this makes: warehouse.migrations.current.
tables = "1a855847"


def upgrade() -> None:
    """Bring what exists into shape; `reconcile` looks first, so that running it again is safe."""
    done = context.config.attributes["done"]
    reconcile(op.get_bind(), metadata, done)
    fill_transcript_read_at(op.get_bind())
    fill_handed_over_at(op.get_bind())
    fill_period(op.get_bind())
    lower_case_emails(op.get_bind(), done)


def downgrade() -> None:
    """There is no way back: nothing of a portal is removed."""
    raise NotImplementedError("restore a backup instead")
