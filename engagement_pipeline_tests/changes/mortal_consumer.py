"""A consumer in a process of its own, from the queue to the warehouse, to be killed; run by test_consumer_kill.py.

python -m engagement_pipeline_tests.changes.mortal_consumer SETTINGS WAREHOUSE
"""

import sys
from pathlib import Path

import duckdb

from engagement_pipeline.changes.consumer import ConsumerReport, consume
from engagement_pipeline.delivery import mirror as delivery_mirror
from engagement_pipeline.platform import warehouse
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users import mirror as users_mirror
from engagement_pipeline_tests.conftest import NOW


def take(settings: Settings, database: Database, con: duckdb.DuckDBPyConnection) -> ConsumerReport:
    """Do what the first asset of a run does."""
    report = consume(settings, database, lambda: NOW)
    users_mirror.pull(con, database)
    delivery_mirror.pull_suppressions(con, database)
    delivery_mirror.pull_deliveries(con, database)
    return report


def main() -> None:
    settings = Settings.model_validate_json(sys.argv[1])
    database = Database(settings.store_url)
    with warehouse.connect(Path(sys.argv[2])) as con:
        print("ready", flush=True)  # noqa: T201
        while True:
            take(settings, database, con)


if __name__ == "__main__":
    main()
