"""A filled shop, and a program that may do everything."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.web.api.shop import Shop


@pytest.fixture
def api_shop(database: Database, tmp_path: Path) -> Shop:
    shop = Shop(database, tmp_path)
    shop.fill()
    return shop


@pytest.fixture
def api(api_shop: Shop) -> TestClient:
    return api_shop.client(api_shop.token())
