"""Texts that a model wrote, and where the copy of an e-mail comes from."""

import sqlalchemy as sa
from alembic import op

from engagement_pipeline.platform.sql import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("emails", sa.Column("provenance", sa.JSON()))
    op.create_table(
        "copy_texts",
        sa.Column("fingerprint", sa.String(32), nullable=False),
        sa.Column("prompt_version", sa.String(32), nullable=False),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("copy", sa.JSON()),
        sa.Column("failures", sa.JSON(), nullable=False),
        sa.Column("input_tokens", sa.Integer(), nullable=False),
        sa.Column("output_tokens", sa.Integer(), nullable=False),
        sa.Column("cost_usd", sa.Float(), nullable=False),
        sa.Column("written_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", "prompt_version", "model", "number", name=op.f("pk_copy_texts")),
    )


def downgrade() -> None:
    op.drop_table("copy_texts")
    op.drop_column("emails", "provenance")
