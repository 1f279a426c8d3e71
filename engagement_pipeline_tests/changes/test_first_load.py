"""Whole tables brought into the operational store, beside events and without them."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from engagement_pipeline.changes.events import ChangeEvent, parse
from engagement_pipeline.changes.first_load import LoadReport, load
from engagement_pipeline.changes.item_reader import ItemReader
from engagement_pipeline.changes.read_model import ReadModel
from engagement_pipeline.delivery.tables import emails, suppressions
from engagement_pipeline.platform.audit import audit_log
from engagement_pipeline.platform.dynamodb import Dynamo
from engagement_pipeline.platform.dynamodb_tables import ADDRESSES, AUDIT, EMAILS, ORDERS, USERS
from engagement_pipeline.platform.dynamodb_writes import Delete, Put
from engagement_pipeline.platform.errors import BadInputError
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.settings_groups import DynamoSettings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.dynamodb.attributes import touched
from engagement_pipeline.users.dynamodb.store import DynamoUserStore
from engagement_pipeline.users.store import SqlUserStore, Touches
from engagement_pipeline.users.tables import rejected_records
from engagement_pipeline_tests.changes.parts import Tables, email_item, order_item, user_item
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import SECRET
from engagement_pipeline_tests.dynamodb import settings_of
from engagement_pipeline_tests.platform.test_dynamodb_bulk import write_export
from engagement_pipeline_tests.users.builders import order, user

pytestmark = pytest.mark.integration


@pytest.fixture
def settings(ministack: str, dynamodb_tables: DynamoSettings) -> Settings:
    return settings_of(ministack, dynamodb_tables, secret_key=SecretStr(SECRET))


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    database = Database(sqlite_url)
    yield database
    database.close()


def rows(database: Database, *columns: sa.Column[Any]) -> list[tuple[Any, ...]]:
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(sa.select(*columns).order_by(columns[0]))]


def test_every_table_is_loaded_as_its_store_knows_it(dynamo: Dynamo, settings: Settings, database: Database) -> None:
    store = DynamoUserStore(dynamo, database, SECRET)
    store.put_users([user(f"u{number}", consent=True) for number in range(30)], NOW)
    store.put_orders([order(f"o{number}", f"u{number % 20}", days_ago=number) for number in range(60)], NOW)
    dynamo.write(touched(Touches("u1", [NOW], NOW, 1), NOW))
    dynamo.write(Put(EMAILS, email_item("e1", "u1")))
    dynamo.write(Put(EMAILS, {"emailId": "old", "userId": "u2", "status": "SENT", "generatedAt": "2025-01-01"}))
    suppressed = {
        "addressKey": "ab" * 32,
        "reason": "complaint",
        "source": "ses",
        "suppressedAt": "2026-01-01T00:00:00Z",
    }
    dynamo.write_many(
        [Put(ADDRESSES, suppressed), Put(ADDRESSES, {"addressKey": "cd" * 32, "touchedAt": "2026-01-01"})]
    )
    entry = {"entity": "user", "entityId": "u1", "actor": "ada", "action": "looked", "details": {"n": 1}}
    dynamo.write(Put(AUDIT, {"auditId": "a1", "happenedAt": "2026-01-01T00:00:00Z", **entry}))

    seen: list[int] = []
    done = load(settings, database, lambda: NOW, on_progress=seen.append)

    assert done["user"] == LoadReport(30, 30, 0)
    assert done["order"] == LoadReport(60, 60, 0)
    assert seen == [60, 30, 2, 2, 1]
    ids = [f"u{number}" for number in range(30)]
    copied = SqlUserStore(database, SECRET).get_users(ids)
    assert sorted(copied, key=lambda each: each.user_id) == sorted(store.get_users(ids), key=lambda each: each.user_id)
    assert [row[0] for row in rows(database, emails.c.email_id)] == ["e1", "old"]
    assert rows(database, suppressions.c.address_key, suppressions.c.reason) == [("ab" * 32, "complaint")]
    assert rows(database, audit_log.c.action, audit_log.c.details) == [("looked", {"n": 1})]


def test_a_load_may_be_begun_anew_and_brings_what_has_changed(
    dynamo: Dynamo, settings: Settings, database: Database
) -> None:
    dynamo.write(Put(USERS, user_item("u1")))
    for name in ("Old Name", "New Name"):
        dynamo.write(Put(USERS, user_item("u1", name=name)))
        load(settings, database, lambda: NOW)
    stored = SqlUserStore(database, SECRET).get_user("u1")
    assert stored is not None
    assert stored.name == "New Name"


def test_what_events_have_told_of_is_left_alone(dynamo: Dynamo, settings: Settings, database: Database) -> None:
    dynamo.write_many([Put(USERS, user_item("u1", name="Of The Scan")), Put(USERS, user_item("u2"))])
    items = ItemReader(settings, database)
    event = ChangeEvent(
        version=1,
        event_id="1",
        entity="user",
        operation="updated",
        entity_id="u1",
        user_id="u1",
        sequence=7,
        occurred_at=NOW,
        new=user_item("u1", name="Of The Event"),
    )
    with database.write() as connection:
        ReadModel(SECRET, items.orders_now, items.refresh).apply(connection, [items.read(event)], NOW)
    assert load(settings, database, lambda: NOW)["user"] == LoadReport(2, 1, 0)
    assert {each.name for each in SqlUserStore(database, SECRET).get_users(["u1", "u2"])} == {
        "Of The Event",
        "U2 Example",
    }


def test_a_load_mends_what_was_never_told(dynamo: Dynamo, settings: Settings, database: Database) -> None:
    """A stream keeps a day: a change that could not be published in that time comes by no event any more."""
    dynamo.write(Put(USERS, user_item("u1", name="Told")))
    items = ItemReader(settings, database)
    told = parse(Tables().put("user", user_item("u1", name="Told")))
    with database.write() as connection:
        ReadModel(SECRET, items.orders_now, items.refresh).apply(connection, [items.read(told)], NOW)
    dynamo.write(Put(USERS, user_item("u1", name="Never Told")))
    assert load(settings, database, lambda: NOW + timedelta(days=2))["user"] == LoadReport(1, 1, 0)
    [stored] = SqlUserStore(database, SECRET).get_users(["u1"])
    assert stored.name == "Never Told"


def test_who_was_erased_does_not_come_back_with_a_restored_database(
    dynamo: Dynamo, settings: Settings, database: Database
) -> None:
    dynamo.write_many([Put(USERS, user_item("u1")), Put(USERS, user_item("u2")), Put(ORDERS, order_item("o1", "u1"))])
    dynamo.write(Put(ORDERS, order_item("o2", "u2")))
    load(settings, database, lambda: NOW)
    dynamo.write_many([Delete(USERS, ("u1",)), Delete(ORDERS, ("u1", "o1"))])
    done = load(settings, database, lambda: NOW + timedelta(days=1))
    assert (done["user"].removed, done["order"].removed) == (1, 1)
    store = SqlUserStore(database, SECRET)
    assert store.known_user_ids(["u1", "u2"]) == {"u2"}
    assert (store.orders_of("u1"), len(store.orders_of("u2"))) == ([], 1)


def test_items_that_are_none_are_recorded_and_the_rest_is_loaded(
    dynamo: Dynamo, settings: Settings, database: Database
) -> None:
    broken = [order_item("o2", "u1", value=-5.0), order_item("o3", "u1", status="lost")]
    dynamo.write_many(Put(ORDERS, item) for item in [order_item("o1", "u1"), *broken])
    dynamo.write_many([Put(USERS, user_item("u1")), Put(USERS, user_item("u2", email="nobody"))])
    dynamo.write(Put(AUDIT, {"auditId": "a1", "action": "looked"}))
    done = load(settings, database, lambda: NOW)
    assert (done["order"].rejected, done["user"].rejected, done["audit"].rejected) == (2, 1, 1)
    reasons = rows(database, rejected_records.c.entity, rejected_records.c.field)
    assert sorted(reasons, key=str) == [
        ("change", "new"),
        ("order", "status"),
        ("order", "total_value"),
        ("user", "email"),
    ]
    assert [each.order_id for each in SqlUserStore(database, SECRET).orders_of("u1")] == ["o1"]
    again = load(settings, database, lambda: NOW)
    assert again == done


def test_a_table_is_loaded_from_its_export(dynamo: Dynamo, settings: Settings, database: Database) -> None:
    nobody = user_item("u3", email="nobody")
    dynamo.write(Put(USERS, nobody))
    location = write_export(settings, [[user_item("u1")], [user_item("u2"), nobody]])
    assert load(settings, database, lambda: NOW, {"user": location}) == {"user": LoadReport(3, 3, 1)}
    assert SqlUserStore(database, SECRET).known_user_ids(["u1", "u2", "u3"]) == {"u1", "u2", "u3"}


def test_nothing_is_kept_of_who_is_gone_since_the_export(settings: Settings, database: Database) -> None:
    location = write_export(settings, [[user_item("u1", email="nobody")]])
    assert load(settings, database, lambda: NOW, {"user": location})["user"].rejected == 0
    assert rows(database, rejected_records.c.entity) == []


def test_without_tables_there_is_nothing_to_load(database: Database) -> None:
    with pytest.raises(BadInputError, match="USERS_TABLE"):
        load(Settings(), database, lambda: NOW)
