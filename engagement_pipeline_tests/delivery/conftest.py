"""Fixtures of the tests about delivery."""

from collections.abc import Iterator

import pytest

from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.delivery.parts import Parts

KINDS = (
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.integration),
    pytest.param("dynamodb", marks=pytest.mark.integration),
)


@pytest.fixture(params=KINDS)
def parts(request: pytest.FixtureRequest) -> Iterator[Parts]:
    """A store of each kind, empty, and what sends from it."""
    is_postgres = request.param == "postgresql"
    database = Database(request.getfixturevalue("postgres_url" if is_postgres else "sqlite_url"))
    yield Parts(database, dynamo=request.getfixturevalue("dynamo") if request.param == "dynamodb" else None)
    database.close()
