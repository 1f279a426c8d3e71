"""Loading the tables on DynamoDB from the command line."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engagement_pipeline.cli import app
from engagement_pipeline.platform.dynamodb import Dynamo
from engagement_pipeline.platform.dynamodb_tables import USERS
from engagement_pipeline.platform.dynamodb_writes import Put
from engagement_pipeline.platform.errors import BadInputError
from engagement_pipeline.platform.settings import get_settings
from engagement_pipeline.platform.settings_groups import DynamoSettings
from engagement_pipeline_tests.aws_server import REGION
from engagement_pipeline_tests.dynamodb import settings_of
from engagement_pipeline_tests.platform.test_dynamodb_bulk import write_export

runner = CliRunner()


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith("ENGAGEMENT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ENGAGEMENT_DATA_DIR", str(tmp_path))
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.fixture
def deployment(ministack: str, dynamodb_tables: DynamoSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings as a deployment has them."""
    monkeypatch.setenv("ENGAGEMENT_AWS_ENDPOINT_URL", ministack)
    monkeypatch.setenv("ENGAGEMENT_AWS_REGION", REGION)
    for name, called in dynamodb_tables.tables.items():
        monkeypatch.setenv(f"ENGAGEMENT_DYNAMODB__{name.upper()}_TABLE", called)


@pytest.mark.integration
@pytest.mark.usefixtures("deployment")
def test_tables_are_loaded_whole_or_from_an_export(
    ministack: str, dynamo: Dynamo, dynamodb_tables: DynamoSettings
) -> None:
    dynamo.write_many([Put(USERS, {"userId": "u1"}), Put(USERS, {"userId": "u2", "email": "nobody"})])
    result = runner.invoke(app, ["tables", "load", "--json"], catch_exceptions=False)
    counts = json.loads(result.stdout)
    assert counts["users"] == {"read": 2, "written": 2, "rejected": 1, "removed": 0}
    assert list(counts) == ["users", "orders", "emails", "addresses", "audit"]
    location = write_export(settings_of(ministack, dynamodb_tables), [[{"userId": "u3"}]])
    result = runner.invoke(app, ["tables", "load", "--export", f"users={location}"], catch_exceptions=False)
    assert result.exit_code == 0
    assert "orders" not in result.stdout


@pytest.mark.parametrize("given", ["users", "people=s3://bucket/", "users="])
def test_an_export_needs_a_table_and_a_place(given: str) -> None:
    with pytest.raises(BadInputError, match="--export"):
        runner.invoke(app, ["tables", "load", "--export", given], catch_exceptions=False)


def test_without_tables_the_missing_setting_is_named() -> None:
    with pytest.raises(BadInputError, match="ENGAGEMENT_DYNAMODB__USERS_TABLE"):
        runner.invoke(app, ["tables", "load"], catch_exceptions=False)
