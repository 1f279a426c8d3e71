"""Alembic's entry: on the connection that `upgrade` hands over, or on the configured store for its own commands."""

import sqlalchemy as sa
from alembic import context

import engagement_pipeline.copywriting.tables
import engagement_pipeline.delivery.tables
import engagement_pipeline.platform.audit
import engagement_pipeline.platform.change_claims
import engagement_pipeline.platform.change_log
import engagement_pipeline.platform.idempotency
import engagement_pipeline.platform.published
import engagement_pipeline.platform.run_failures
import engagement_pipeline.platform.run_marks
import engagement_pipeline.scoring.tables
import engagement_pipeline.users.tables
import engagement_pipeline.web.security.tables  # noqa: F401
from engagement_pipeline.platform.settings import get_settings
from engagement_pipeline.platform.sql import Database, metadata


def _run(connection: sa.Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, compare_type=True)
    context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    _run(given)
else:
    with Database(get_settings().store_url).write() as own:
        _run(own)
