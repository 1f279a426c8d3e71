"""What was bought: the catalogue's numbers of an order's goods."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("skus", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    op.drop_column("orders", "skus")
