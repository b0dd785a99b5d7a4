"""The portal's tables and ours: made where missing, widened where too narrow, adopted where they exist."""

from __future__ import annotations

from alembic import context, op

from lms_assets.warehouse.migrations.reconcile import reconcile
from lms_assets.warehouse.migrations.data_steps import seed_category_rules
from lms_assets.warehouse.schema.tables import metadata

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring what exists into shape, then fill the category rules if there are none."""
    reconcile(op.get_bind(), metadata, context.config.attributes["done"])
    seed_category_rules(op.get_bind())


def downgrade() -> None:
    """There is no way back: nothing of a portal is removed."""
    raise NotImplementedError("restore a backup instead")
