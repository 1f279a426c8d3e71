"""How far each item of the tables on DynamoDB has been followed, and which audit entry is which row."""

import sqlalchemy as sa

from engagement_pipeline.platform.sql import UtcDateTime, metadata

item_sequences = sa.Table(
    "item_sequences",
    metadata,
    # A keyed hash: that somebody was a user is nothing to keep.
    sa.Column("item_key", sa.String(64), primary_key=True),
    # Of the newest change that has been applied, with leading zeros: longer than any number that a database holds.
    sa.Column("sequence", sa.String(40), nullable=False),
    sa.Column("noted_at", UtcDateTime, nullable=False),
)

audit_copies = sa.Table(
    "audit_copies",
    metadata,
    sa.Column("entry_id", sa.String(128), primary_key=True),
    sa.Column("audit_id", sa.BigInteger, nullable=False),
)
