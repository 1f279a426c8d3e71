"""Changes through a real queue: duplicates, disorder, poison, what is too large, and crashes."""

import json
import logging
import random
from typing import Any

import pytest
import sqlalchemy as sa

from engagement_pipeline.changes import asking
from engagement_pipeline.changes.consumer import ConsumerReport
from engagement_pipeline.changes.events import parse
from engagement_pipeline.changes.queue import ChangeQueue
from engagement_pipeline.changes.read_model import ReadModel
from engagement_pipeline.platform import change_claims
from engagement_pipeline.platform.dynamodb_tables import EMAILS, ORDERS, USERS
from engagement_pipeline.platform.dynamodb_writes import Delete, Put
from engagement_pipeline.platform.settings_groups import DynamoSettings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.dynamodb.store import DynamoUserStore
from engagement_pipeline.users.models import User
from engagement_pipeline.users.tables import rejected_records
from engagement_pipeline_tests.changes.cloud import Cloud
from engagement_pipeline_tests.changes.parts import Tables, changes, email_item, order_item, user_item
from engagement_pipeline_tests.changes.test_read_model import Life, state, truth
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import SECRET

pytestmark = pytest.mark.integration

POISON = [
    "no JSON: jane@example.com",
    "[]",
    '{"version": 2, "entity": "user"}',
    "[" * 50_000,
    json.dumps({"Type": "Notification", "Message": "jane@example.com"}),
]


@pytest.fixture
def cloud(ministack: str, dynamodb_tables: DynamoSettings) -> Cloud:
    return Cloud(ministack, dynamodb_tables)


@pytest.fixture
def tables() -> Tables:
    return Tables()


def rejected(database: Database) -> list[tuple[str, ...]]:
    columns = [rejected_records.c[name] for name in ("entity", "file", "field", "reason", "message", "original")]
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(sa.select(*columns).order_by(rejected_records.c.reason))]


def event(tables: Tables, **values: Any) -> str:
    """The newest event, with something else in it."""
    return json.dumps({**json.loads(tables.events[-1]), **values})


def test_duplicates_and_disorder(cloud: Cloud, database: Database, tables: Tables) -> None:
    chance = random.Random(7)
    life = Life(tables, chance)
    for _ in range(300):
        life.go_on()
    events = [*tables.events, *chance.sample(tables.events, 60)]
    chance.shuffle(events)
    for item in tables.of("order"):
        cloud.dynamo.write(Put(ORDERS, item))
    cloud.put(*events)
    report = cloud.consume(database)
    assert (report.taken, report.set_aside) == (len(events), 0)
    assert state(database) == truth(tables)
    assert cloud.left() == 0
    assert cloud.buried() == []


def test_poison_is_recorded_and_buried_and_the_rest_goes_on(
    cloud: Cloud, database: Database, tables: Tables, caplog: pytest.LogCaptureFixture
) -> None:
    good = tables.put("user", user_item("u1"))
    tables.put("email", email_item("e1", "u2"))
    bad = [
        *POISON,
        event(tables, new=None),
        event(tables, sequence="12 or so"),
        event(
            tables, new={"emailId": "e1", "userId": "u1", "campaign": "c", "status": "sent", "decidedAt": "jane@x.org"}
        ),
        event(tables, new={**email_item("e1", "u1"), "reason": {"jane@example.com": 1}}),
        event(tables, entity="user", entity_id="u" * 200, new=user_item("u" * 200)),
    ]
    cloud.dynamo.write(Put(EMAILS, email_item("e1", "u2")))
    cloud.dynamo.write(Put(USERS, user_item("u" * 200)))
    cloud.put(*bad[:4], good, *bad[4:])
    with caplog.at_level(logging.INFO, logger="engagement_pipeline"):
        assert cloud.consume(database) == ConsumerReport(taken=1, applied=1, set_aside=len(bad))
    assert cloud.buried() == sorted(bad)
    assert cloud.left() == 0
    kept = rejected(database)
    assert [row[3] for row in kept] == [
        "bad_email",
        "bad_item",
        "bad_item",
        "contradiction",
        "int_parsing",
        "literal_error",
        "missing",
        "model_type",
        "not_json",
        "not_json",
    ]
    assert {row[:2] for row in kept} == {("change", "changes")}
    assert not [row for row in kept if "jane" in row[4]]
    assert "jane" not in caplog.text
    # Once more, from wherever: known already.
    cloud.put(*bad)
    assert cloud.consume(database).set_aside == len(bad)
    assert rejected(database) == kept


def test_a_bad_record_of_the_table_is_recorded_and_read_as_far_as_it_can_be(
    cloud: Cloud, database: Database, tables: Tables
) -> None:
    bad, lost = user_item("u1", email="no address", orderCount="three"), order_item("o1", "u1", status="lost")
    cloud.dynamo.write(Put(USERS, bad))
    cloud.dynamo.write(Put(ORDERS, lost))
    cloud.put(tables.put("user", bad), tables.put("order", lost))
    assert cloud.consume(database) == ConsumerReport(taken=2, applied=2, rejected=2)
    # Another change of the same record says nothing new.
    cloud.put(tables.put("user", {**bad, "name": "Jane"}))
    assert cloud.consume(database) == ConsumerReport(taken=1, applied=1)
    assert cloud.buried() == []
    assert [row[0] for row in rejected(database)] == ["user", "order"]
    assert {row[1] for row in rejected(database)} == set(map(cloud.dynamo.called, (USERS, ORDERS)))
    [user] = state(database)["users"].values()
    assert (user.user_id, user.email, user.order_count) == ("u1", None, 0)


def test_nothing_is_kept_of_what_is_gone_by_now(cloud: Cloud, database: Database, tables: Tables) -> None:
    # Who was erased while changes waited would be in the records for ever.
    cloud.put(tables.put("user", user_item("u1", email="no address")))
    cloud.put(tables.put("email", email_item("e1", "u1", decidedAt="one day")))
    assert cloud.consume(database) == ConsumerReport(taken=2, applied=2)
    assert rejected(database) == []
    assert cloud.buried() == []


def test_what_the_store_cannot_hold_is_poison_alone(cloud: Cloud, database: Database, tables: Tables) -> None:
    cloud.put(tables.put("email", email_item("e1", "u1")), tables.put("user", user_item("u1")))
    # The same step of the same user and campaign: another e-mail's place.
    twin = tables.put("email", {**email_item("e1", "u1"), "emailId": "e2"})
    cloud.put(twin)
    assert cloud.consume(database) == ConsumerReport(taken=2, applied=2, set_aside=1)
    assert cloud.buried() == [twin]
    assert [row[3] for row in rejected(database)] == ["not_storable"]
    assert list(state(database)["emails"]) == ["e1"]


def test_what_was_too_large_is_looked_up(cloud: Cloud, database: Database, tables: Tables) -> None:
    wordy = user_item("u1", name="Ada", preferredCategories=["denim"])
    cloud.dynamo.write(Put(USERS, {**wordy, "preferredCategories": {"denim"}}))
    cloud.dynamo.write(Put(ORDERS, order_item("o1", "u1", skus=["DR-101"])))
    tables.put("user", user_item("u1"))
    users_event = event(tables, new=None, fetch=True)
    tables.put("order", order_item("o1", "u1"))
    cloud.put(users_event, event(tables, new=None, fetch=True), parse_of_gone(tables))
    assert cloud.consume(database) == ConsumerReport(taken=3, applied=3)
    found = state(database)
    assert found["users"]["u1"].preferred_categories == ("denim",)
    assert list(found["users"]) == ["u1"]
    assert {order_id: order.skus for order_id, order in found["orders"].items()} == {"o1": ("DR-101",)}


def parse_of_gone(tables: Tables) -> str:
    """An event of a user who is gone by the time that somebody looks."""
    tables.put("user", user_item("u2"))
    return event(tables, new=None, fetch=True)


def test_orders_that_others_wrote_come_to_be_known_by_their_user(
    cloud: Cloud, database: Database, tables: Tables
) -> None:
    store = DynamoUserStore(cloud.dynamo, database, SECRET)
    store.create_user(User(user_id="u1", email="u1@example.com", consent=True), NOW)
    item, order = cloud.dynamo.get(USERS, "u1"), order_item("o1", "u1")
    assert item is not None
    cloud.put(tables.put("user", item))
    cloud.consume(database)
    cloud.dynamo.write(Put(ORDERS, order))
    cloud.put(tables.put("order", order))
    cloud.consume(database)
    user = store.get_user("u1")
    assert user is not None
    assert (user.order_count, user.average_order_value) == (1, 20)
    there = cloud.dynamo.get(USERS, "u1")
    assert there is not None
    cloud.put(tables.put("user", there))
    cloud.consume(database)
    assert state(database)["users"]["u1"] == user


def test_an_order_in_dispute_is_looked_up(cloud: Cloud, database: Database, tables: Tables) -> None:
    tables.put("order", order_item("o1", "u1"))
    tables.put("order", order_item("o1", "u2"))
    tables.remove("order", "u1", "o1")
    cloud.dynamo.write(Put(ORDERS, order_item("o1", "u2")))
    first, second, gone = tables.events
    for message in (second, first, gone):
        cloud.put(message)
        cloud.consume(database)
    assert state(database)["orders"]["o1"].user_id == "u2"
    cloud.dynamo.write(Delete(ORDERS, ("u2", "o1")))
    cloud.put(str(tables.remove("order", "u2", "o1")))
    cloud.consume(database)
    assert state(database)["orders"] == {}


class Crash(BaseException):
    """The process ends."""


@pytest.mark.parametrize("moment", ["before_writing", "before_burying", "before_deleting", "before_answering"])
def test_a_crash_at_any_moment_changes_nothing(
    cloud: Cloud, database: Database, tables: Tables, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise Crash

    tables.put("user", user_item("u1"))
    tables.put("order", order_item("o1", "u1"))
    cloud.put(*tables.events, POISON[0])
    crashing = {
        "before_writing": (ReadModel, "apply"),
        "before_burying": (ChangeQueue, "bury"),
        "before_deleting": (ChangeQueue, "delete"),
        "before_answering": (asking, "answer"),
    }
    with monkeypatch.context() as patch:
        patch.setattr(*crashing[moment], crash)
        with pytest.raises(Crash):
            cloud.consume(database)
    again = cloud.consume(database)
    assert again.applied == (2 if moment == "before_writing" else 0)
    assert state(database) == truth(tables)
    assert set(cloud.buried()) == {POISON[0]}
    assert len(rejected(database)) == 1
    assert cloud.left() == 0
    assert len(changes(database)) == 3


def test_whoever_reacts_takes_the_changes_upon_itself(cloud: Cloud, database: Database, tables: Tables) -> None:
    def claimed() -> int:
        with database.read() as connection:
            return change_claims.claimed(connection, "react_to_changes")

    cloud.put(tables.put("user", user_item("u1")))
    cloud.consume(database)
    assert claimed() == 0
    cloud.put(tables.put("user", user_item("u2")))
    cloud.consume(database, reader="react_to_changes")
    assert claimed() == 2


def test_it_ends_while_more_comes(cloud: Cloud, database: Database, tables: Tables) -> None:
    for number in range(30):
        cloud.put(tables.put("user", user_item(f"u{number}")))
    report = cloud.consume(database, longest_seconds=0)
    assert report.taken >= 10
    assert cloud.left() == 30 - report.taken


def test_a_queue_without_dead_letters_keeps_what_was_rejected(
    cloud: Cloud, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    cloud.sqs.set_queue_attributes(QueueUrl=cloud.queue, Attributes={"RedrivePolicy": ""})
    cloud.put(POISON[0])
    with caplog.at_level(logging.WARNING):
        assert cloud.consume(database).set_aside == 1
    assert "no dead letters" in caplog.text
    assert len(rejected(database)) == 1
    assert cloud.left() == 0


def test_a_look_leaves_everything_where_it_is(cloud: Cloud, tables: Tables) -> None:
    with ChangeQueue(cloud.settings) as queue:
        assert queue.look(0) is None
        cloud.put(*(tables.put("user", user_item(f"u{number}")) for number in range(3)))
        waiting = queue.look(1)
        assert waiting is not None
        assert (waiting.messages, waiting.is_urgent) == (3, True)
        assert len(queue.receive(0)) == 3
    assert parse(tables.events[0]).occurred_at == NOW
