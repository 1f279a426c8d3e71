"""Texts that are had in batches, who has approved what a campaign says, and until when it may be sent."""

import sqlalchemy as sa
from alembic import op

from engagement_pipeline.platform.sql import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("emails", sa.Column("edition", sa.String(16)))
    op.add_column("emails", sa.Column("last_day", sa.Date()))
    op.create_table(
        "copy_approvals",
        sa.Column("campaign", sa.String(64), nullable=False),
        sa.Column("edition", sa.String(16), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("decided_by", sa.String(64), nullable=False),
        sa.Column("note", sa.String(200), nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("campaign", "edition", name=op.f("pk_copy_approvals")),
    )
    op.create_table(
        "copy_batches",
        sa.Column("batch_key", sa.String(32), nullable=False),
        sa.Column("prompt_version", sa.String(32), nullable=False),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("file_id", sa.String(128)),
        sa.Column("batch_id", sa.String(128)),
        sa.Column("reason", sa.String(256)),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("answers", sa.Integer(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost_usd", sa.Float(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("wanted_by", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("batch_key", name=op.f("pk_copy_batches")),
    )
    op.create_index(op.f("ix_copy_batches_state"), "copy_batches", ["state"])
    op.create_table(
        "copy_requests",
        sa.Column("fingerprint", sa.String(32), nullable=False),
        sa.Column("prompt_version", sa.String(32), nullable=False),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("brief", sa.JSON(), nullable=False),
        sa.Column("batch_key", sa.String(32)),
        sa.Column("first_answer", sa.JSON()),
        sa.Column("wanted_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", "prompt_version", "model", "number", name=op.f("pk_copy_requests")),
    )
    op.create_index(op.f("ix_copy_requests_batch_key"), "copy_requests", ["batch_key"])


def downgrade() -> None:
    op.drop_table("copy_requests")
    op.drop_table("copy_batches")
    op.drop_table("copy_approvals")
    op.drop_column("emails", "last_day")
    op.drop_column("emails", "edition")
