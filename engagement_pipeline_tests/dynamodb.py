"""DynamoDB tables for tests: fresh ones for every test, in an AWS-compatible server."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from engagement_pipeline.platform.dynamodb import Dynamo, connect
from engagement_pipeline.platform.dynamodb_tables import TABLES, create_request
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.settings_groups import DynamoSettings
from engagement_pipeline_tests.aws_server import REGION


@pytest.fixture
def dynamodb_tables(ministack: str) -> Iterator[DynamoSettings]:
    """Settings that name empty tables of their own."""
    with fresh_tables(ministack) as named:
        yield named


@pytest.fixture
def dynamo(ministack: str, dynamodb_tables: DynamoSettings) -> Dynamo:
    """Empty tables."""
    return dynamo_of(ministack, dynamodb_tables)


@contextmanager
def fresh_tables(url: str) -> Iterator[DynamoSettings]:
    """Make all tables under names of their own, and delete them in the end."""
    mark = uuid.uuid4().hex[:12]
    named = DynamoSettings(**{f"{table.name}_table": f"{table.name}-{mark}" for table in TABLES})
    client = dynamo_of(url, named).client
    for table in TABLES:
        client.create_table(**create_request(table, named.tables[table.name]))
    try:
        yield named
    finally:
        for called in named.tables.values():
            client.delete_table(TableName=called)


def settings_of(url: str, named: DynamoSettings, **values: Any) -> Settings:
    """Settings of a deployment on these tables."""
    return Settings(aws_region=REGION, aws_endpoint_url=url, dynamodb=named, **values)


def dynamo_of(url: str, named: DynamoSettings) -> Dynamo:
    """Tables as a program has them that settings like these point to."""
    return connect(settings_of(url, named))
