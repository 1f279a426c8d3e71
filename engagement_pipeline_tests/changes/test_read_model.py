"""Whatever comes in whatever order, and however often: the rows end as the items are."""

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from engagement_pipeline.changes import sequences
from engagement_pipeline.changes.read_model import ReadModel
from engagement_pipeline.changes.tables import item_sequences
from engagement_pipeline.delivery.dynamodb.items import columns_of
from engagement_pipeline.delivery.tables import emails, suppressions
from engagement_pipeline.platform.audit import audit_log
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.aggregates import CountedOrder
from engagement_pipeline.users.dynamodb.items import readable_orders, stored_user_of
from engagement_pipeline.users.keys import SecretKeyChangedError
from engagement_pipeline.users.models import COUNTED, Order
from engagement_pipeline.users.store import SqlUserStore
from engagement_pipeline.users.tables import orders, users
from engagement_pipeline_tests.changes.parts import (
    Follower,
    Tables,
    audit_item,
    changes,
    email_item,
    order_item,
    user_item,
)
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import SECRET

ADDRESS = "cd" * 32
SUPPRESSED = {"addressKey": ADDRESS, "reason": "complaint", "source": "ses", "suppressedAt": "2026-03-02T15:00:00Z"}
TOUCHED = {"addressKey": ADDRESS, "touchedAt": "2026-03-02T15:00:00Z"}


@pytest.fixture
def tables() -> Tables:
    return Tables()


@pytest.fixture
def follower(database: Database, tables: Tables) -> Follower:
    return Follower(database, tables)


def rows(database: Database, table: sa.Table) -> dict[str, dict[str, Any]]:
    """Every row by its key, but for the moment at which it was written."""
    [key] = table.primary_key.columns
    with database.read() as connection:
        found = [dict(row) for row in connection.execute(sa.select(table)).mappings()]
    return {row[key.name]: row for row in found}


def state(database: Database) -> dict[str, Any]:
    store = SqlUserStore(database, SECRET)
    return {
        "users": {user.user_id: user for user in store.get_users(rows(database, users))},
        "orders": {order.order_id: order for order in store.get_orders(rows(database, orders))},
        "emails": rows(database, emails),
        "suppressions": {key: row["reason"] for key, row in rows(database, suppressions).items()},
        "audit": sorted(row["entity_id"] for row in rows(database, audit_log).values()),
    }


def truth(tables: Tables) -> dict[str, Any]:
    """What the tables say, by the functions that the stores on DynamoDB read them with."""
    known = {order.order_id: order for order in readable_orders(tables.of("order"))}
    said = {item["userId"]: stored_user_of(item, SECRET) for item in tables.of("user")}
    store_orders: dict[str, list[Order]] = defaultdict(list)
    for order in known.values():
        store_orders[order.user_id].append(order)
    return {
        "users": {
            user_id: stored_user_of(
                {**tables.items["user", (user_id,)], "derivedAs": "not these"},
                SECRET,
                counted=counted(store_orders[user_id]),
            )
            for user_id in said
        },
        "orders": known,
        "emails": {row["email_id"]: row for item in tables.of("email") if (row := columns_of(item)) is not None},
        "suppressions": {item["addressKey"]: item["reason"] for item in tables.of("address") if "reason" in item},
        "audit": sorted(item["entityId"] for item in tables.of("audit")),
    }


def counted(of_user: list[Order]) -> list[CountedOrder]:
    from engagement_pipeline.users.aggregates import CountedOrder

    return [CountedOrder(order.ordered_at, order.total_value) for order in of_user if order.status in COUNTED]


class Life:
    """Programs and people, and what they do to the tables."""

    def __init__(self, tables: Tables, chance: random.Random) -> None:
        self._tables = tables
        self._chance = chance

    def go_on(self) -> None:
        acts = [self._describe, self._state_orders, self._order, self._order, self._return, self._move, self._mail]
        self._chance.choice([*acts, self._suppress, self._audit, self._remove])()

    def _user_id(self) -> str:
        return f"u{self._chance.randrange(8)}"

    def _an_order(self) -> list[dict[str, Any]]:
        """Up to one order, of whomever it is."""
        found = self._tables.of("order")
        return [self._chance.choice(found)] if found else []

    def _describe(self) -> None:
        name = self._chance.choice(["Ada", "Grace", None])
        self._tables.put("user", user_item(self._user_id(), name=name, version=len(self._tables.events)))

    def _state_orders(self) -> None:
        stated = {"orderCount": 3, "averageOrderValue": 10, "lastOrderDate": "2026-01-20"}
        self._tables.put("user", user_item(self._user_id(), **stated))

    def _order(self) -> None:
        order_id = f"o{len(self._tables.events)}"
        days, value = self._chance.randrange(90), self._chance.randrange(1, 99)
        self._tables.put("order", order_item(order_id, self._user_id(), days, value))

    def _return(self) -> None:
        for item in self._an_order():
            self._tables.put("order", {**item, "status": self._chance.choice(["delivered", "returned"])})

    def _move(self) -> None:
        """Give an order to another user in one transaction: in whatever order the two items' events come."""
        for item in self._an_order():
            if item["userId"] != (other := self._user_id()):
                self._tables.put("order", {**item, "userId": other})
                self._tables.remove("order", item["userId"], item["orderId"])

    def _mail(self) -> None:
        number, status = self._chance.randrange(1, 10), self._chance.choice(["draft", "queued", "sent", "delivered"])
        self._tables.put("email", email_item(f"e{number}", f"u{number % 3}", status))

    def _suppress(self) -> None:
        self._tables.put("address", self._chance.choice([SUPPRESSED, TOUCHED, {**SUPPRESSED, "reason": "bounce"}]))

    def _audit(self) -> None:
        self._tables.put("audit", audit_item(f"a{self._chance.randrange(5)}", f"user-{len(self._tables.events)}"))

    def _remove(self) -> None:
        self._tables.remove("user", self._user_id())
        self._tables.remove("email", f"e{self._chance.randrange(1, 10)}")
        for item in self._an_order():
            self._tables.remove("order", item["userId"], item["orderId"])


def batches(chance: random.Random, events: list[str]) -> Iterator[list[str]]:
    rest = list(events)
    while rest:
        size = chance.randrange(1, 30)
        yield rest[:size]
        rest = rest[size:]


@pytest.mark.parametrize("seed", range(12))
def test_whatever_order(follower: Follower, tables: Tables, seed: int) -> None:
    chance = random.Random(seed)
    life = Life(tables, chance)
    for _ in range(150):
        life.go_on()
    events = [*tables.events, *chance.sample(tables.events, len(tables.events) // 3)]
    if seed % 3:
        chance.shuffle(events)
    for batch in batches(chance, events):
        follower.take(*batch)
    assert state(follower.database) == truth(tables)
    logged = len(changes(follower.database))
    assert follower.take(*chance.sample(events, len(events))) == 0
    assert len(changes(follower.database)) == logged


def test_what_is_logged_of_a_user(follower: Follower, tables: Tables) -> None:
    follower.take(tables.put("user", user_item("u1")))
    follower.take(tables.put("user", user_item("u1", name="Ada")))
    # Our own notes, and a score that is nobody's business here.
    touched = {"touchedAt": ["2026-03-01T00:00:00Z"], "lastEmailDate": "2026-03-01T00:00:00Z", "version": 2, "steps": 1}
    follower.take(tables.put("user", user_item("u1", name="Ada", **touched)))
    follower.take(tables.put("user", user_item("u1", name="Ada", **touched, engagementScore=12)))
    follower.take(str(tables.remove("user", "u1")))
    assert changes(follower.database) == [
        ("user", "u1", "u1", "created"),
        ("user", "u1", "u1", "updated"),
        ("touch", "u1", "u1", "updated"),
        ("user", "u1", "u1", "deleted"),
    ]


def test_an_order_counts_whoever_wrote_it(follower: Follower, tables: Tables) -> None:
    tables.put("user", user_item("u1"))
    tables.put("order", order_item("o1", "u1"))
    follower.take(*tables.events)
    user = SqlUserStore(follower.database, SECRET).get_user("u1")
    assert user is not None
    assert (user.order_count, user.average_order_value) == (1, 20.0)
    # The item itself does not know of it yet.
    assert follower.refreshed == ["u1"]
    tables.remove("order", "u1", "o1")
    follower.take(tables.events[-1])
    assert changes(follower.database)[-2:] == [("order", "o1", "u1", "deleted"), ("user", "u1", "u1", "updated")]


def test_an_order_that_its_user_knows_of_is_not_doubted(follower: Follower, tables: Tables) -> None:
    moment = "2026-02-20T15:00:00Z"
    aggregates = {"orderCount": 1, "orderDays": 1, "averageOrderValue": 20.0}
    dates = {"firstOrderDate": moment, "lastOrderDate": moment, "derivedAs": f"1 20.0 {moment}"}
    tables.put("order", order_item("o1", "u1"))
    tables.put("user", user_item("u1", **aggregates, **dates))
    follower.take(*tables.events)
    assert follower.refreshed == []


def test_orders_come_before_their_user_and_outlive_it(follower: Follower, tables: Tables) -> None:
    follower.take(tables.put("order", order_item("o1", "u1")))
    follower.take(tables.put("user", user_item("u1")))
    follower.take(str(tables.remove("user", "u1")))
    assert changes(follower.database)[-2:] == [("user", "u1", "u1", "deleted"), ("order", "o1", "u1", "updated")]
    assert state(follower.database) == truth(tables)


def test_what_a_person_asks_for_wakes_the_reaction_once(follower: Follower, tables: Tables) -> None:
    follower.take(tables.put("email", email_item("e1", "u1", "queued", requestedBy="crm", overrides=["cool_down"])))
    follower.take(tables.put("email", email_item("e1", "u1", "sent", requestedBy="crm")))
    follower.take(tables.put("email", email_item("e2", "u1", "queued")))
    # Nobody is woken for one that has gone out meanwhile.
    follower.take(tables.put("email", email_item("e3", "u1", "sent", requestedBy="crm")))
    assert [change[:2] for change in changes(follower.database)] == [
        ("email", "e1"),
        ("request", "e1"),
        ("email", "e1"),
        ("email", "e2"),
        ("email", "e3"),
    ]


def test_rows_of_the_earlier_deployment(follower: Follower, tables: Tables) -> None:
    earlier = {"userId": "u1", "subject": "Hello", "content": "Dear Ada", "generatedAt": "2026-01-01T00:00:00Z"}
    for number, status in enumerate(["GENERATED", "SENT", "OPENED", "CLICKED", "FAILED"]):
        email_id = f"00000000-0000-0000-0000-00000000000{number}"
        tables.put("email", {**earlier, "emailId": email_id, "engagementScoreAtTime": 30, "status": status})
    follower.take(*tables.events)
    found = rows(follower.database, emails).values()
    assert sorted(row["status"] for row in found) == ["clicked", "failed", "opened", "sent", "skipped"]
    assert {row["copy"] for row in found} == {None}
    assert state(follower.database) == truth(tables)


def test_verdicts_in_the_table_of_emails_are_no_emails(follower: Follower, tables: Tables) -> None:
    follower.take(tables.put("email", {"emailId": "rejected#win-back#abc", "verdict": "rejected"}))
    assert rows(follower.database, emails) == {}


def test_an_address_that_is_touched_is_not_suppressed(follower: Follower, tables: Tables) -> None:
    follower.take(tables.put("address", TOUCHED))
    follower.take(tables.put("address", SUPPRESSED))
    follower.take(tables.put("address", {**SUPPRESSED, "reason": "hard_bounce"}))
    follower.take(tables.put("address", TOUCHED))
    follower.take(tables.put("address", SUPPRESSED))
    follower.take(str(tables.remove("address", ADDRESS)))
    assert changes(follower.database) == [
        ("suppression", ADDRESS, None, operation)
        for operation in ("created", "updated", "deleted", "created", "deleted")
    ]


def test_an_audit_entry_is_there_once_and_forgets_whom_it_was_about(follower: Follower, tables: Tables) -> None:
    second, first = tables.put("audit", audit_item("2", "u2")), tables.put("audit", audit_item("1", "u1"))
    follower.take(second, first, second)
    follower.take(tables.put("audit", {**audit_item("1", "[erased]"), "details": {}}))
    found = [row for _, row in sorted(rows(follower.database, audit_log).items())]
    assert [(row["entity_id"], row["details"]) for row in found] == [("[erased]", {}), ("u2", {"fields": ["email"]})]


def test_numbers_of_items_say_nothing_of_whom_they_are(follower: Follower, tables: Tables) -> None:
    follower.take(tables.put("user", user_item("u1")), tables.put("order", order_item("o1", "u1")))
    kept = rows(follower.database, item_sequences)
    assert len(kept) == 2
    assert all(len(key) == 64 and len(row["sequence"]) == 40 for key, row in kept.items())
    with follower.database.write() as connection:
        assert sequences.forget(connection, NOW) == 0
        assert sequences.forget(connection, NOW + timedelta(seconds=1)) == 2


def test_another_key_than_the_stores_is_refused(follower: Follower, tables: Tables) -> None:
    follower.take(tables.put("user", user_item("u1")))
    with follower.database.write() as connection, pytest.raises(SecretKeyChangedError):
        ReadModel("another-secret-key", lambda keys: [], lambda user_ids, now: None).apply(connection, [], NOW)
