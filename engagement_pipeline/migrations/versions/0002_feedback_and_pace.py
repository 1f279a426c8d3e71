"""What feedback needs to find its e-mail, and the pace that senders share."""

import sqlalchemy as sa
from alembic import op

from engagement_pipeline.platform.sql import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_CLAIMED = sa.text("claimed_by IS NOT NULL")


def upgrade() -> None:
    op.create_index("ix_emails_provider_sent_at", "emails", ["provider", "sent_at"])
    op.create_index("ix_emails_claimed_by", "emails", ["claimed_by"], sqlite_where=_CLAIMED, postgresql_where=_CLAIMED)
    op.create_index("ix_emails_provider_message_id", "emails", ["provider_message_id"])
    op.add_column("email_events", sa.Column("provider_message_id", sa.String(256)))
    op.add_column("email_events", sa.Column("address_key", sa.String(64)))
    op.create_index("ix_email_events_provider_message_id", "email_events", ["provider_message_id"])
    op.create_index("ix_email_events_address_key", "email_events", ["address_key"])
    op.create_table(
        "send_pace",
        sa.Column("provider", sa.String(32), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("taken_on_day", sa.Integer(), nullable=False),
        sa.Column("left_of_quota", sa.Integer()),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_send_pace")),
    )


def downgrade() -> None:
    op.drop_table("send_pace")
    op.drop_index("ix_email_events_address_key", "email_events")
    op.drop_index("ix_email_events_provider_message_id", "email_events")
    op.drop_column("email_events", "address_key")
    op.drop_column("email_events", "provider_message_id")
    op.drop_index("ix_emails_provider_message_id", "emails")
    op.drop_index("ix_emails_claimed_by", "emails")
    op.drop_index("ix_emails_provider_sent_at", "emails")
