"""What assets publish: replaced as a whole, read by name."""

from datetime import timedelta

from engagement_pipeline.platform import published
from engagement_pipeline.platform.published import Published
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.conftest import NOW

LATER = NOW + timedelta(hours=1)


def test_the_newest_figures_stand(database: Database) -> None:
    with database.write() as connection:
        published.put(connection, {"bands": {"good": 1}, "bins": [1, 2]}, NOW)
    with database.write() as connection:
        published.put(connection, {"bands": {"good": 2}}, LATER)
    with database.read() as connection:
        found = published.get(connection, ["bands", "bins", "nothing"])
    assert found == {"bands": Published({"good": 2}, LATER), "bins": Published([1, 2], NOW)}


def test_publishing_nothing_changes_nothing(database: Database) -> None:
    with database.write() as connection:
        published.put(connection, {}, NOW)
        assert published.get(connection, []) == {}
