"""Generated texts in the operational store: what was paid for once is not asked for again."""

import sqlalchemy as sa

from engagement_pipeline.platform.sql import UtcDateTime, metadata

copy_texts = sa.Table(
    "copy_texts",
    metadata,
    sa.Column("fingerprint", sa.String(32), primary_key=True),
    sa.Column("prompt_version", sa.String(32), primary_key=True),
    sa.Column("model", sa.String(128), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    # Empty where the model could not write it: asking again would cost the same and end the same.
    sa.Column("copy", sa.JSON(none_as_null=True)),
    sa.Column("failures", sa.JSON, nullable=False),
    sa.Column("input_tokens", sa.Integer, nullable=False),
    sa.Column("output_tokens", sa.Integer, nullable=False),
    sa.Column("cost_usd", sa.Float, nullable=False),
    sa.Column("written_at", UtcDateTime, nullable=False),
)
