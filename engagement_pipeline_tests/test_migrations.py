"""The migrations build exactly the tables that the code declares."""

import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

import engagement_pipeline.migrations
from engagement_pipeline.migrations import is_current, upgrade
from engagement_pipeline.migrations.declared import metadata
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.users.builders import store_of, user


def test_migrated_schema_equals_the_declared_one(database: Database) -> None:
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_every_table_of_the_code_is_declared() -> None:
    package = Path(engagement_pipeline.migrations.__file__).parents[1]
    with_tables = {path for path in package.rglob("*.py") if "= sa.Table(" in path.read_text(encoding="utf-8")}
    modules = {".".join(path.relative_to(package.parent).with_suffix("").parts) for path in with_tables}
    assert len(modules) > 10
    script = "import sys, engagement_pipeline.migrations.declared; print(*sys.modules)"
    known = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.split()
    assert modules <= set(known)


def test_upgrade_twice_changes_nothing(database: Database) -> None:
    upgrade(database)
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


@pytest.mark.integration
def test_services_that_start_together_make_the_tables_once(postgres_server: str) -> None:
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    databases = [Database(postgres_server.replace("/postgres?", f"/{name}?", 1)) for _ in range(4)]
    with ThreadPoolExecutor(len(databases)) as pool:
        list(pool.map(upgrade, databases))
    assert all(map(is_current, databases))
    for database in databases:
        database.close()


def test_names_that_are_there_already_can_be_searched_for(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'engagement.db'}")
    upgrade(database)
    store_of(database).put_users([user("u1", name="Zoë  Ångström"), user("u2", name=None)], NOW)
    with database.write() as connection:
        migrate(connection, "0004")
        migrate(connection, "head")
        found = connection.execute(sa.text("SELECT search_name, search_surname FROM users ORDER BY user_id")).all()
    database.close()
    assert [tuple(row) for row in found] == [("zoe angstrom", "angstrom"), (None, None)]


def migrate(connection: sa.Connection, target: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(engagement_pipeline.migrations.__file__).parent))
    config.attributes["connection"] = connection
    (command.downgrade if target != "head" else command.upgrade)(config, target)
