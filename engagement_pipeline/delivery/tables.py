"""The e-mail ledger, provider events and suppressions in the operational store."""

import sqlalchemy as sa

from engagement_pipeline.platform.sql import UtcDateTime, metadata

emails = sa.Table(
    "emails",
    metadata,
    sa.Column("email_id", sa.String(32), primary_key=True),
    sa.Column("user_id", sa.String(128), nullable=False),
    sa.Column("address_key", sa.String(64), nullable=False),
    sa.Column("campaign", sa.String(64), nullable=False),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    # A code of ours, or the provider's own words (see `MailerError`).
    sa.Column("reason", sa.String(256)),
    sa.Column("score", sa.Float, nullable=False),
    sa.Column("band", sa.String(16), nullable=False),
    sa.Column("value_at_risk", sa.Float, nullable=False),
    sa.Column("variant", sa.String(64)),
    # The copy with its placeholders, no name in it; rendered when it is sent or looked at. Empty for the hold-out.
    sa.Column("copy", sa.JSON),
    sa.Column("copywriter", sa.String(64)),
    # The brief, and where generated copy comes from: see `copywriting.keeping`.
    sa.Column("provenance", sa.JSON(none_as_null=True)),
    # See `copywriting.edition`: what a person approves. Empty for rows from before there were editions.
    sa.Column("edition", sa.String(16)),
    # On which it may be sent, where it rests on an offer that ends: see `copywriting.last_day`.
    sa.Column("last_day", sa.Date),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("claimed_by", sa.String(64)),
    sa.Column("claimed_until", UtcDateTime),
    sa.Column("not_before", UtcDateTime),
    sa.Column("provider", sa.String(32)),
    sa.Column("provider_message_id", sa.String(256)),
    sa.Column("decided_at", UtcDateTime, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("sent_at", UtcDateTime),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    # A person who asked for this very e-mail, and the gate's reasons that were set aside for it.
    sa.Column("requested_by", sa.String(64)),
    sa.Column("overrides", sa.JSON(none_as_null=True)),
    sa.UniqueConstraint("user_id", "campaign", "step"),
    sa.Index("ix_emails_status_value_at_risk", "status", "value_at_risk"),
    sa.Index("ix_emails_address_key_sent_at", "address_key", "sent_at"),
    sa.Index("ix_emails_provider_sent_at", "provider", "sent_at"),
    # Few rows at a time are in a sender's hands.
    sa.Index(
        "ix_emails_claimed_by",
        "claimed_by",
        sqlite_where=sa.text("claimed_by IS NOT NULL"),
        postgresql_where=sa.text("claimed_by IS NOT NULL"),
    ),
    sa.Index("ix_emails_provider_message_id", "provider_message_id"),
    # Lists are read by ranges of these, however far one pages.
    sa.Index("ix_emails_created_at_email_id", "created_at", "email_id"),
    sa.Index("ix_emails_status_created_at_email_id", "status", "created_at", "email_id"),
    sa.Index("ix_emails_user_id_created_at", "user_id", "created_at"),
)

email_events = sa.Table(
    "email_events",
    metadata,
    sa.Column("event_id", sa.String(128), primary_key=True),
    sa.Column("email_id", sa.String(32), index=True),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("source", sa.String(32), nullable=False),
    sa.Column("occurred_at", UtcDateTime, nullable=False),
    sa.Column("received_at", UtcDateTime, nullable=False),
    sa.Column("original", sa.Text, nullable=False),
    # How an event finds its e-mail when it carries no id of ours, also one that comes before we have noted the id.
    sa.Column("provider_message_id", sa.String(256), index=True),
    sa.Column("address_key", sa.String(64), index=True),
)

suppressions = sa.Table(
    "suppressions",
    metadata,
    sa.Column("address_key", sa.String(64), primary_key=True),
    sa.Column("reason", sa.String(32), nullable=False),
    sa.Column("source", sa.String(64), nullable=False),
    sa.Column("suppressed_at", UtcDateTime, nullable=False),
    sa.Index("ix_suppressions_suppressed_at_address_key", "suppressed_at", "address_key"),
)

# What the senders of one provider share: when the next message may go, and how many more may go today.
send_pace = sa.Table(
    "send_pace",
    metadata,
    sa.Column("provider", sa.String(32), primary_key=True),
    sa.Column("next_at", UtcDateTime, nullable=False),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("taken_on_day", sa.Integer, nullable=False),
    # What the provider's own quota leaves, as last asked and counted down since; empty where it has none.
    sa.Column("left_of_quota", sa.Integer),
)
