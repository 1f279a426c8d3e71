"""Alembic's entry: runs migrations on the connection that `upgrade` hands over."""

from alembic import context

import engagement_pipeline.delivery.tables
import engagement_pipeline.platform.change_log
import engagement_pipeline.scoring.tables
import engagement_pipeline.users.tables  # noqa: F401
from engagement_pipeline.platform.sql import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
)
context.run_migrations()
