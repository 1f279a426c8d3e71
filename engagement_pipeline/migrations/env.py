"""Alembic's entry: on the connection that `upgrade` hands over, or on the configured store for its own commands."""

import sqlalchemy as sa
from alembic import context

from engagement_pipeline.migrations.declared import metadata
from engagement_pipeline.platform.settings import get_settings
from engagement_pipeline.platform.sql import Database


def _run(connection: sa.Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, compare_type=True)
    context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    _run(given)
else:
    with Database(get_settings().store_url).write() as own:
        _run(own)
