"""The tokens by which programs and people are let in, in the operational store."""

import sqlalchemy as sa

from engagement_pipeline.platform.sql import UtcDateTime, metadata

api_tokens = sa.Table(
    "api_tokens",
    metadata,
    sa.Column("token_id", sa.String(12), primary_key=True),
    sa.Column("name", sa.String(64), nullable=False),
    # SHA-256, hexadecimal: tokens are random and long, so that nothing slower is needed.
    sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
    sa.Column("scope", sa.String(8), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    # Written at most once an hour.
    sa.Column("last_used_at", UtcDateTime),
    sa.Column("revoked_at", UtcDateTime),
)
