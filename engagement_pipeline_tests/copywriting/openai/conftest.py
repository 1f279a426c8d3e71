"""A store without PostgreSQL: what differs between the two is tried where texts are kept."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engagement_pipeline.migrations import upgrade
from engagement_pipeline.platform.sql import Database


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Database]:
    store = Database(f"sqlite:///{tmp_path / 'engagement.db'}")
    upgrade(store)
    yield store
    store.close()
