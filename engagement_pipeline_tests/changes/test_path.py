"""From a changed item to the read model: streams, the function on them, topic and queue, all of a real server."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from engagement_pipeline.changes.queue import ChangeQueue
from engagement_pipeline.platform.dynamodb_tables import EMAILS, ORDERS, USERS
from engagement_pipeline.platform.dynamodb_writes import Put
from engagement_pipeline.platform.settings_groups import DynamoSettings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.dynamodb.attributes import touched
from engagement_pipeline.users.dynamodb.store import DynamoUserStore, UserScore
from engagement_pipeline.users.models import Order, OrderStatus, User
from engagement_pipeline.users.store import Touches
from engagement_pipeline_tests.changes.cloud import Cloud, streaming_cloud, wait_until
from engagement_pipeline_tests.changes.parts import changes, email_item, user_item
from engagement_pipeline_tests.changes.test_read_model import state
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import SECRET

pytestmark = pytest.mark.integration


@pytest.fixture
def cloud(ministack: str, dynamodb_tables: DynamoSettings) -> Iterator[Cloud]:
    with streaming_cloud(ministack, dynamodb_tables) as cloud:
        yield cloud


@pytest.fixture
def store(cloud: Cloud, database: Database) -> DynamoUserStore:
    return DynamoUserStore(cloud.dynamo, database, SECRET)


def order(order_id: str, user_id: str, value: float) -> Order:
    return Order(
        order_id=order_id,
        user_id=user_id,
        ordered_at=NOW - timedelta(days=3),
        total_value=value,
        item_count=1,
        status=OrderStatus.DELIVERED,
    )


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_read_model_follows_the_tables(cloud: Cloud, store: DynamoUserStore, database: Database) -> None:
    ids = [f"u{number}" for number in range(25)]
    store.put_users([User(user_id=user_id, email=f"{user_id}@example.com", consent=True) for user_id in ids], NOW)
    store.put_orders([order(f"o{number}", user_id, number) for number, user_id in enumerate(ids)], NOW)
    cloud.dynamo.write(Put(EMAILS, email_item("e1", "u1")))
    store.delete_user("u24", NOW)
    messages = 25 + 2 * 25 + 1 + 2
    wait_until(lambda: cloud.left() == messages)
    report = cloud.consume(database)
    assert (report.taken, report.set_aside, report.rejected) == (messages, 0, 0)
    found = state(database)
    assert found["users"] == {user.user_id: user for user in store.get_users(ids)}
    assert len(found["orders"]) == len(found["users"]) == 24
    assert list(found["emails"]) == ["e1"]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_system_does_not_react_to_itself(cloud: Cloud, store: DynamoUserStore, database: Database) -> None:
    store.put_users([User(user_id="u1", email="u1@example.com", consent=True)], NOW)
    wait_until(lambda: cloud.left() == 1)
    cloud.consume(database)
    store.write_scores([UserScore("u1", 12.5, "critical")], NOW)
    cloud.dynamo.write(touched(Touches("u1", [NOW], NOW, 1), NOW))
    # The stream is in order: with the touch the score has gone by.
    wait_until(lambda: cloud.left() == 1)
    with ChangeQueue(cloud.settings) as queue:
        waiting = queue.look(0)
    assert waiting is not None
    assert not waiting.is_urgent
    cloud.consume(database)
    assert [change[0] for change in changes(database)] == ["user", "touch"]
    assert state(database)["users"]["u1"] == store.get_user("u1")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_an_item_larger_than_a_message(cloud: Cloud, store: DynamoUserStore, database: Database) -> None:
    wordy = user_item("u1", preferredCategories=["denim"], remark="ä" * 150_000)
    cloud.dynamo.write(Put(USERS, wordy))
    cloud.dynamo.write(Put(ORDERS, {"userId": "u1", "orderId": "o1", "remark": "x" * 300_000}))
    wait_until(lambda: cloud.left() == 2)
    with ChangeQueue(cloud.settings) as queue:
        messages = queue.receive(0)
        queue.give_back(messages)
    assert all(json.loads(message.text)["fetch"] for message in messages)
    report = cloud.consume(database)
    # What is no order is recorded as such, however large.
    assert (report.taken, report.rejected, report.set_aside) == (2, 1, 0)
    assert state(database)["users"]["u1"] == store.get_user("u1")
