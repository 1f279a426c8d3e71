"""Scores as published to the operational store, for the API and the dashboard."""

import sqlalchemy as sa

from engagement_pipeline.platform.sql import UtcDateTime, metadata

scores = sa.Table(
    "scores",
    metadata,
    sa.Column("user_id", sa.String(128), primary_key=True),
    sa.Column("score", sa.Float, nullable=False),
    sa.Column("band", sa.String(16), nullable=False),
    sa.Column("as_of", sa.Date, nullable=False),
    sa.Column("published_at", UtcDateTime, nullable=False),
    sa.Index("ix_scores_score_user_id", "score", "user_id"),
    sa.Index("ix_scores_band_score_user_id", "band", "score", "user_id"),
)

# One row: the last revision of the warehouse's scores that has been published here, committed with the rows.
published_revision = sa.Table(
    "published_revision",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("revision", sa.BigInteger, nullable=False),
)
