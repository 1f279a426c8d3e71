"""What assets have computed for the API and the dashboard, which never look into the warehouse."""

import sqlalchemy as sa

from engagement_pipeline.platform.sql import UtcDateTime, metadata

published = sa.Table(
    "published",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("payload", sa.JSON, nullable=False),
    sa.Column("computed_at", UtcDateTime, nullable=False),
)
