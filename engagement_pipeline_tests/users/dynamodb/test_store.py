"""What only the store on DynamoDB is asked for: other people's items, scores, lost answers, tables that throttle."""

import random
from collections.abc import Iterator
from typing import Any

import pytest

from engagement_pipeline.platform.dynamodb import Dynamo, UnavailableError
from engagement_pipeline.platform.dynamodb_tables import ORDER_OWNERS, ORDERS, USERS
from engagement_pipeline.platform.dynamodb_writes import Put, Update
from engagement_pipeline.platform.settings_groups import DynamoSettings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.addresses import address_key
from engagement_pipeline.users.dynamodb.attributes import touched
from engagement_pipeline.users.dynamodb.items import text_of
from engagement_pipeline.users.dynamodb.store import DynamoUserStore, UserScore
from engagement_pipeline.users.store import SqlUserStore, Touches, WriteCounts
from engagement_pipeline_tests.aws_server import FaultProxy
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.dynamodb import dynamo_of
from engagement_pipeline_tests.faults import Fault
from engagement_pipeline_tests.users.builders import SECRET, later, order, user
from engagement_pipeline_tests.users.dynamodb.test_items import EARLIER

pytestmark = pytest.mark.integration


@pytest.fixture
def read_model(sqlite_url: str) -> Iterator[Database]:
    database = Database(sqlite_url)
    yield database
    database.close()


@pytest.fixture
def store(dynamo: Dynamo, read_model: Database) -> DynamoUserStore:
    return DynamoUserStore(dynamo, read_model, SECRET)


def order_item(order_id: str, user_id: str = "u1", **values: Any) -> dict[str, Any]:
    """An order as another program might write it."""
    return {"userId": user_id, "orderId": order_id, "orderDate": text_of(NOW), "totalValue": 10, **values}


def test_an_earlier_user_is_known_with_orders_and_touched_without_a_trace(
    dynamo: Dynamo, store: DynamoUserStore
) -> None:
    dynamo.write(Put(USERS, EARLIER))
    dynamo.write(Put(ORDERS, order_item("a")))
    got = store.get_user("u1")
    assert got is not None
    assert (got.order_count, got.last_order_at, got.version) == (6, NOW, 0)
    dynamo.write(touched(Touches("u1", [NOW], NOW, 1), NOW))
    item = dynamo.get(USERS, "u1")
    assert item is not None
    assert {name: item[name] for name in EARLIER if name not in ("lastEmailDate", "updatedAt")} == {
        name: value for name, value in EARLIER.items() if name not in ("lastEmailDate", "updatedAt")
    }
    got = store.get_user("u1")
    assert got is not None
    assert (got.order_count, got.last_email_at, got.steps, got.version) == (6, NOW, 1, 1)


def test_who_has_an_address_is_found_also_where_only_the_shop_wrote_it(
    dynamo: Dynamo, store: DynamoUserStore, read_model: Database
) -> None:
    dynamo.write(Put(USERS, EARLIER))
    key = address_key("ada@example.com", SECRET)
    assert store.user_ids_at([key]) == {}
    SqlUserStore(read_model, SECRET).put_users([user("u1", email="ada@example.com")], NOW)
    assert store.user_ids_at([key]) == {key: {"u1"}}
    # The read model is late: the table decides.
    dynamo.write(Update(USERS, ("u1",), sets={"email": "elsewhere@example.com"}))
    assert store.user_ids_at([key]) == {}


def test_a_change_by_the_shop_in_between_is_not_overwritten(
    dynamo: Dynamo, store: DynamoUserStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    dynamo.write(Put(USERS, EARLIER))
    items = store.items
    shop_writes = [Update(USERS, ("u1",), sets={"orderCount": 9, "lastOrderDate": text_of(NOW)})]

    def read_before_the_shop_writes(user_ids: Any) -> Any:
        found = items(user_ids)
        if shop_writes:
            dynamo.write(shop_writes.pop())
        return found

    monkeypatch.setattr(store, "items", read_before_the_shop_writes)
    store.put_orders([order("a", days_ago=-1, value=1)], NOW)
    got = store.get_user("u1")
    assert got is not None
    assert (got.order_count, got.stated_order_count) == (10, 9)


def test_orders_that_others_wrote_are_counted_once_they_are_known(dynamo: Dynamo, store: DynamoUserStore) -> None:
    store.put_users([user("u1"), user("u2")], NOW)
    dynamo.write(Put(ORDERS, order_item("a")))
    assert store.refresh_aggregates(["u1", "u2", "ghost", "u1"], NOW) == 1
    assert store.refresh_aggregates(["u1", "u2"], NOW) == 0
    got = store.get_user("u1")
    assert got is not None
    assert (got.order_count, got.version) == (1, 2)


def test_an_order_that_others_wrote_can_be_moved(dynamo: Dynamo, store: DynamoUserStore, read_model: Database) -> None:
    store.put_users([user("u1"), user("u2")], NOW)
    dynamo.write(Put(ORDERS, order_item("a", giftWrap=True)))
    sql = SqlUserStore(read_model, SECRET)
    sql.put_users([user("u1")], NOW)
    sql.put_orders([order("a")], NOW)
    assert [each.user_id for each in store.get_orders(["a"])] == ["u1"]
    assert store.put_orders([order("a", "u2")], NOW) == WriteCounts(0, 1, 0)
    assert store.orders_of("u1") == []
    assert dynamo.get(ORDERS, "u2", "a", attributes=("giftWrap",)) == {"giftWrap": True}


def test_an_order_item_that_is_none_counts_for_nothing_and_is_mended(dynamo: Dynamo, store: DynamoUserStore) -> None:
    store.put_users([user("u1")], NOW)
    dynamo.write(Put(ORDERS, order_item("a", totalValue="a lot")))
    assert store.orders_of("u1") == []
    assert store.put_orders([order("a", value=3)], NOW) == WriteCounts(0, 1, 0)
    assert store.orders_of("u1") == [order("a", value=3)]


def test_a_deletion_that_was_cut_short_is_finished(
    dynamo: Dynamo, store: DynamoUserStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(writes: object) -> None:
        raise UnavailableError("the process dies here")

    store.put_users([user("u1")], NOW)
    store.put_orders([order(f"o{number}") for number in range(40)], NOW)
    with monkeypatch.context() as patch:
        patch.setattr(store.dynamo, "write_many", die)
        with pytest.raises(UnavailableError):
            store.delete_user("u1", NOW)
    assert store.get_user("u1") is None
    assert not store.delete_user("u1", NOW)
    assert [*dynamo.scan(ORDERS, 0, 1), *dynamo.scan(ORDER_OWNERS, 0, 1)] == []


def test_scores_are_written_beside_users_and_never_go_back(dynamo: Dynamo, store: DynamoUserStore) -> None:
    store.put_users([user("u1")], NOW)
    assert store.write_scores([UserScore("u1", 12.5, "critical"), UserScore("ghost", 50.0, "moderate")], later(1)) == 1
    assert store.write_scores([UserScore("u1", 80.0, "good")], NOW) == 0
    wanted = {"engagementScore": 12.5, "scoreBand": "critical", "scoredAt": text_of(later(1)), "version": 1}
    assert dynamo.get(USERS, "u1", attributes=tuple(wanted)) == wanted
    assert dynamo.get(USERS, "ghost") is None


def test_users_and_orders_are_right_whatever_happens_on_the_way(
    dynamodb_tables: DynamoSettings, fault_proxy: FaultProxy, read_model: Database
) -> None:
    draw = random.Random(6)
    faults = [
        *[None] * 18,
        Fault(status=400, code="com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"),
        Fault(status=500, code="com.amazonaws.dynamodb.v20120810#InternalServerError"),
        Fault(status=503),
        Fault(drop=True),
        Fault(drop=True, taken=True),
        Fault(delay=0.05),
    ]
    store = DynamoUserStore(dynamo_of(fault_proxy.url, dynamodb_tables), read_model, SECRET)
    fault_proxy.faults.decide = lambda stage: draw.choice(faults)
    users = [user(f"u{number}") for number in range(30)]
    assert store.put_users(users, NOW) == WriteCounts(30, 0, 0)
    renamed = [user(f"u{number}", name="New Name") for number in range(30)]
    assert store.put_users(renamed, NOW) == WriteCounts(0, 30, 0)
    orders = [order(f"o{number}", f"u{number % 30}", days_ago=number) for number in range(90)]
    assert store.put_orders(orders, NOW) == WriteCounts(90, 0, 0)
    assert store.write_scores([UserScore(each.user_id, 50.0, "moderate") for each in users], NOW) == 30
    fault_proxy.faults.decide = lambda stage: None
    found = store.get_users(each.user_id for each in users)
    assert {(each.name, each.order_count) for each in found} == {("New Name", 3)}
    assert store.put_orders(orders, NOW) == WriteCounts(0, 0, 90)


def test_an_order_that_moves_while_its_user_is_deleted_stays_the_new_ones(
    dynamo: Dynamo, store: DynamoUserStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put_users([user("u1"), user("u2"), user("u3")], NOW)
    store.put_orders([order("a", user_id="u1")], NOW)
    query, moves = dynamo.query, [order("a", user_id="u2")]

    def read_before_the_order_moves(*arguments: Any, **options: Any) -> Any:
        found = list(query(*arguments, **options))
        if moves:
            store.put_orders([moves.pop()], NOW)
        return iter(found)

    monkeypatch.setattr(dynamo, "query", read_before_the_order_moves)
    assert store.delete_user("u1", NOW)
    assert store.owners(["a"]) == {"a": "u2"}
