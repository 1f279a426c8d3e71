"""The migrations build exactly the tables that the code declares."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

import engagement_pipeline.copywriting.tables
import engagement_pipeline.delivery.tables
import engagement_pipeline.platform.change_claims
import engagement_pipeline.platform.change_log
import engagement_pipeline.platform.run_failures
import engagement_pipeline.scoring.tables
import engagement_pipeline.users.tables  # noqa: F401
from engagement_pipeline.migrations import upgrade
from engagement_pipeline.platform.sql import Database, metadata


def test_migrated_schema_equals_the_declared_one(database: Database) -> None:
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_upgrade_twice_changes_nothing(database: Database) -> None:
    upgrade(database)
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
