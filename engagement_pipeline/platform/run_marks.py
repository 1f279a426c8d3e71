"""When each job last succeeded and last failed, where the API and the dashboard can see it."""

import sqlalchemy as sa

from engagement_pipeline.platform.sql import UtcDateTime, metadata

run_marks = sa.Table(
    "run_marks",
    metadata,
    sa.Column("job", sa.String(128), primary_key=True),
    sa.Column("last_success_at", UtcDateTime),
    sa.Column("last_failure_at", UtcDateTime),
)
