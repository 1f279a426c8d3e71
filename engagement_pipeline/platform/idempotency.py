"""Answers kept for a day, so that a request that is repeated under the same key is answered, not done, again."""

import sqlalchemy as sa

from engagement_pipeline.platform.sql import UtcDateTime, metadata

idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    sa.Column("key", sa.String(128), primary_key=True),
    sa.Column("actor", sa.String(64), primary_key=True),
    # Keyed hash of method, path and body: the same key with another request is a mistake.
    sa.Column("fingerprint", sa.String(64), nullable=False),
    # Whom the answer speaks of, where it speaks of one user: what erasing a person looks for.
    sa.Column("user_id", sa.String(128), index=True),
    # Both empty while the first request is being answered; the body alone, where its person has been erased.
    sa.Column("status", sa.Integer),
    sa.Column("body", sa.JSON(none_as_null=True)),
    sa.Column("created_at", UtcDateTime, nullable=False, index=True),
)
