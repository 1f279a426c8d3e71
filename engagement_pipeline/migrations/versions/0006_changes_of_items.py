"""How far the operational store has followed the tables on DynamoDB, item by item."""

import sqlalchemy as sa
from alembic import op

from engagement_pipeline.platform.sql import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "item_sequences",
        sa.Column("item_key", sa.String(64), nullable=False),
        sa.Column("sequence", sa.String(40), nullable=False),
        sa.Column("noted_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("item_key", name=op.f("pk_item_sequences")),
    )
    op.create_table(
        "audit_copies",
        sa.Column("entry_id", sa.String(128), nullable=False),
        sa.Column("audit_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_audit_copies")),
    )


def downgrade() -> None:
    op.drop_table("audit_copies")
    op.drop_table("item_sequences")
