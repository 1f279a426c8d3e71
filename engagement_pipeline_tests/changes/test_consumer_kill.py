"""kill -9 of the consumer: the warehouse ends as the tables are, and the dead letters are the poison."""

import json
import logging
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa

from engagement_pipeline.platform import warehouse
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.settings_groups import DynamoSettings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.tables import rejected_records
from engagement_pipeline_tests.changes.cloud import Cloud, wait_until
from engagement_pipeline_tests.changes.flood import Flood, flood
from engagement_pipeline_tests.changes.mortal_consumer import take
from engagement_pipeline_tests.changes.test_read_model import state, truth
from engagement_pipeline_tests.delivery.parts import SECRET

logger = logging.getLogger(__name__)

pytestmark = pytest.mark.integration

# Longer than a consumer holds messages on a busy machine; whoever waits for few does not want to wait so long.
VISIBILITY_SECONDS = 20
SHORT_VISIBILITY_SECONDS = 3
# The server looks through all messages for each that it hands out.
MOST_IN_QUEUE = 2_000
LONGEST_LIFE_SECONDS = 1.0


@pytest.fixture
def cloud(ministack: str, dynamodb_tables: DynamoSettings, request: pytest.FixtureRequest) -> Cloud:
    is_long = request.node.get_closest_marker("soak") is not None
    return Cloud(ministack, dynamodb_tables, VISIBILITY_SECONDS if is_long else SHORT_VISIBILITY_SECONDS)


def feed(cloud: Cloud, messages: list[str]) -> None:
    """Send messages as the queue empties."""
    for start in range(0, len(messages), 500):
        wait_until(lambda: cloud.left() < MOST_IN_QUEUE, 600)
        cloud.put(*messages[start : start + 500])


def plain(settings: Settings) -> dict[str, Any]:
    return {**settings.model_dump(mode="json"), "secret_key": SECRET}


def kill_consumers(cloud: Cloud, settings: Settings, store: Path, what: Flood, kills: int) -> float:
    """Let consumers work on a flood and kill them, and finish with one that lives; return how long it took in all."""
    chance = random.Random(kills)
    feeder = threading.Thread(target=feed, args=(cloud, list(what.messages)), daemon=True)
    started = time.monotonic()
    feeder.start()
    module = "engagement_pipeline_tests.changes.mortal_consumer"
    for _ in range(kills):
        command = [sys.executable, "-m", module, json.dumps(plain(settings)), str(store)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0, LONGEST_LIFE_SECONDS))
        process.kill()
        process.wait(60)
        process.stdout.close()
        assert process.returncode == -9
    database = Database(settings.store_url)
    with warehouse.connect(store) as con:
        while feeder.is_alive() or cloud.left():
            take(settings, database, con)
        take(settings, database, con)
    database.close()
    return time.monotonic() - started


def mirrored(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    users = con.execute("SELECT user_id, order_count FROM raw_users").fetchall()
    orders = con.execute("SELECT order_id, user_id, total_value, status FROM raw_orders").fetchall()
    statuses = con.execute("SELECT email_id, status FROM email_deliveries").fetchall()
    suppressed = con.execute("SELECT address_key, reason FROM suppressions").fetchall()
    return {"users": set(users), "orders": set(orders), "emails": dict(statuses), "suppressions": dict(suppressed)}


def check(cloud: Cloud, settings: Settings, store: Path, what: Flood) -> int:
    """Compare everything; return how many dead letters came more than once."""
    expected = truth(what.tables)
    database = Database(settings.store_url)
    assert state(database) == expected
    with warehouse.connect(store, read_only=True) as con:
        found = mirrored(con)
    assert found["users"] == {(user.user_id, user.order_count) for user in expected["users"].values()}
    assert found["orders"] == {
        (order.order_id, order.user_id, order.total_value, order.status.value) for order in expected["orders"].values()
    }
    assert found["emails"] == {email_id: row["status"] for email_id, row in expected["emails"].items()}
    assert found["suppressions"] == expected["suppressions"]
    buried = cloud.buried()
    assert set(buried) == what.poison
    with database.read() as connection:
        kept = connection.execute(sa.select(rejected_records.c.original)).scalars().all()
    assert set(kept) == what.poison
    database.close()
    return len(buried) - len(what.poison)


def everything_arrives(cloud: Cloud, url: str, folder: Path, changes: int, kills: int) -> None:
    settings = cloud.settings.model_copy(update={"database_url": url})
    what = flood(changes)
    seconds = kill_consumers(cloud, settings, folder / "warehouse.duckdb", what, kills)
    twice = check(cloud, settings, folder / "warehouse.duckdb", what)
    logger.info("%d messages, %d kills, %.0f s; %d dead letters twice", len(what.messages), kills, seconds, twice)


def test_killed_at_any_moment(cloud: Cloud, sqlite_url: str, tmp_path: Path) -> None:
    everything_arrives(cloud, sqlite_url, tmp_path, changes=3_000, kills=4)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("store", ["sqlite_url", "postgres_url"])
def test_killed_twenty_times_in_a_hundred_thousand_changes(
    cloud: Cloud, store: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    everything_arrives(cloud, request.getfixturevalue(store), tmp_path, changes=100_000, kills=20)
