"""The stores of a shop whose everything lies in SQL, as settings put them together."""

from typing import Any

from engagement_pipeline.delivery.stores import Stores, stores_for
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.sql import Database

SECRET = "a-secret-key-for-tests"


def sql_stores(database: Database, secret_key: str = SECRET, **settings: Any) -> Stores:
    return stores_for(Settings(secret_key=secret_key, **settings), database)
