"""Fixtures of the tests about delivery on DynamoDB alone."""

from collections.abc import Iterator

import pytest

from engagement_pipeline.platform.dynamodb import Dynamo
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.delivery.parts import Parts


@pytest.fixture
def parts(dynamo: Dynamo, sqlite_url: str) -> Iterator[Parts]:
    """A store on DynamoDB, empty, and what sends from it."""
    database = Database(sqlite_url)
    yield Parts(database, dynamo=dynamo)
    database.close()
