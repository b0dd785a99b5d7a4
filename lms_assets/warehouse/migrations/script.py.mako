"""${message}."""

from __future__ import annotations

from alembic import context

from lms_assets.warehouse.migrations.reconcile import reconcile
from lms_assets.warehouse.schema.tables import metadata

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None
# Of the tables that this makes; the message that asks for this migration has it.
tables = ""


def upgrade() -> None:
    """${message}."""
    reconcile(context.get_bind(), metadata, context.config.attributes["done"])


def downgrade() -> None:
    """There is no way back: nothing of a portal is removed."""
    raise NotImplementedError("restore a backup instead")
