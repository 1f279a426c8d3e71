"""Generated texts, those that are still awaited, and approvals, in the operational store."""

import sqlalchemy as sa

from engagement_pipeline.platform.sql import UtcDateTime, metadata

# What was paid for once is not asked for again.
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

# Files of requests that a provider works off in its own time, for half the price.
copy_batches = sa.Table(
    "copy_batches",
    metadata,
    sa.Column("batch_key", sa.String(32), primary_key=True),
    sa.Column("prompt_version", sa.String(32), nullable=False),
    sa.Column("model", sa.String(128), nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    # The provider's names for what was uploaded, and for the batch.
    sa.Column("file_id", sa.String(128)),
    sa.Column("batch_id", sa.String(128)),
    sa.Column("reason", sa.String(256)),
    sa.Column("requests", sa.Integer, nullable=False),
    sa.Column("answers", sa.Integer, nullable=False),
    sa.Column("input_tokens", sa.BigInteger, nullable=False),
    sa.Column("output_tokens", sa.BigInteger, nullable=False),
    sa.Column("cost_usd", sa.Float, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    # What has no answer by then is asked for directly.
    sa.Column("wanted_by", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
)

# Texts that are awaited from a batch, or, without a batch_key, from one that is being put together.
copy_requests = sa.Table(
    "copy_requests",
    metadata,
    sa.Column("fingerprint", sa.String(32), primary_key=True),
    sa.Column("prompt_version", sa.String(32), primary_key=True),
    sa.Column("model", sa.String(128), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("brief", sa.JSON, nullable=False),
    sa.Column("batch_key", sa.String(32), index=True),
    # One that cannot be sent: what was paid for it, and what is wrong with it, for the second time of asking.
    sa.Column("first_answer", sa.JSON(none_as_null=True)),
    sa.Column("wanted_at", UtcDateTime, nullable=False),
)

# What a campaign may say, where somebody has to agree first.
copy_approvals = sa.Table(
    "copy_approvals",
    metadata,
    sa.Column("campaign", sa.String(64), primary_key=True),
    sa.Column("edition", sa.String(16), primary_key=True),
    sa.Column("verdict", sa.String(16), nullable=False),
    sa.Column("decided_by", sa.String(64), nullable=False),
    sa.Column("note", sa.String(200), nullable=False),
    sa.Column("decided_at", UtcDateTime, nullable=False),
)
