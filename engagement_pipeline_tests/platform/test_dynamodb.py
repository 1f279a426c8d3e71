"""The helper for DynamoDB, on an AWS-compatible server: it keeps on until everything is done, and says what was not."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from engagement_pipeline.platform.dynamodb import Dynamo, UnavailableError
from engagement_pipeline.platform.dynamodb_tables import AUDIT, ORDERS, USERS
from engagement_pipeline.platform.dynamodb_words import (
    absent,
    all_of,
    at_most,
    equals,
    exists,
    is_one_of,
    unchanged,
)
from engagement_pipeline.platform.dynamodb_writes import Check, Delete, Put, Refused, Update, Write
from engagement_pipeline.platform.settings_groups import DynamoSettings
from engagement_pipeline_tests.aws_server import FaultProxy
from engagement_pipeline_tests.dynamodb import dynamo_of
from engagement_pipeline_tests.faults import Fault

pytestmark = pytest.mark.integration

_THROTTLED = Fault(status=400, code="com.amazonaws.dynamodb.v20120810#ThrottlingException", reply="slow down")


def test_a_write_comes_back_as_it_was(dynamo: Dynamo) -> None:
    item = {
        "userId": "u1",
        "name": "Zoë",
        "orderCount": 3,
        "averageOrderValue": 12.25,
        "preferredCategories": ["a", "b"],
    }
    assert dynamo.write(Put(USERS, item)) is None
    assert dynamo.get(USERS, "u1") == item
    assert dynamo.get(USERS, "u1", attributes=("name",)) == {"name": "Zoë"}
    assert dynamo.get(USERS, "nobody") is None


def test_what_a_condition_refuses_is_named_with_what_was_found(dynamo: Dynamo) -> None:
    dynamo.write(Put(USERS, {"userId": "u1", "version": 1}))
    assert dynamo.write(Put(USERS, {"userId": "u1"}, absent("userId"))) == Refused(0, {"userId": "u1", "version": 1})
    writes: list[Write] = [
        Update(USERS, ("u1",), sets={"name": "Ada"}, adds={"version": 1}, condition=equals("version", 1)),
        Check(USERS, ("u2",), exists("userId")),
    ]
    assert dynamo.transact(writes) == (Refused(1, None),)
    assert dynamo.get(USERS, "u1") == {"userId": "u1", "version": 1}
    assert dynamo.transact(writes[:1]) == ()
    assert dynamo.get(USERS, "u1") == {"userId": "u1", "version": 2, "name": "Ada"}


def test_what_was_seen_must_be_unchanged_or_still_missing(dynamo: Dynamo) -> None:
    seen = {"userId": "u1", "version": 1}
    dynamo.write(Put(USERS, seen))
    touch = Update(USERS, ("u1",), sets={"name": "Ada"}, condition=unchanged(seen, ("version", "name")))
    assert dynamo.write(touch) is None
    assert dynamo.write(touch) is not None


def test_an_update_removes_and_a_deletion_takes_all(dynamo: Dynamo) -> None:
    dynamo.write(Put(USERS, {"userId": "u1", "name": "Ada", "version": 1}))
    dynamo.write(Update(USERS, ("u1",), removes=["name"]))
    assert dynamo.get(USERS, "u1") == {"userId": "u1", "version": 1}
    dynamo.write(Delete(USERS, ("u1",)))
    assert dynamo.get(USERS, "u1") is None


def test_many_items_go_in_and_out_in_parts(dynamo: Dynamo) -> None:
    items = [{"userId": f"u{number}", "version": number} for number in range(230)]
    dynamo.write_many(Put(USERS, item) for item in [*items, items[0]])
    found = dynamo.get_many(USERS, [(f"u{number}",) for number in (*range(240), 0)])
    assert sorted(found, key=lambda item: item["version"]) == items
    dynamo.write_many(Delete(USERS, (f"u{number}",)) for number in range(229))
    assert [item["userId"] for segment in range(4) for item in dynamo.scan(USERS, segment, 4)] == ["u229"]


def test_a_partition_is_read_page_by_page_in_order(dynamo: Dynamo) -> None:
    dynamo.write_many(
        Put(ORDERS, {"userId": "u1", "orderId": f"o{number:03}", "itemCount": number}) for number in range(50)
    )
    whole = equals("userId", "u1")
    assert [item["itemCount"] for item in dynamo.query(ORDERS, whole, page=7)] == list(range(50))
    newest = dynamo.query(ORDERS, whole, newest_first=True, page=3, attributes=("orderId",))
    assert next(newest) == {"orderId": "o049"}
    some = dynamo.query(ORDERS, all_of(whole, at_most("orderId", "o019")), only=is_one_of("itemCount", [11, 12]))
    assert [item["orderId"] for item in some] == ["o011", "o012"]


def test_an_index_is_read_by_its_name(dynamo: Dynamo) -> None:
    dynamo.write_many([Put(USERS, {"userId": "u1", "addressKey": "k"}), Put(USERS, {"userId": "u2"})])
    assert list(dynamo.query(USERS, equals("addressKey", "k"), index="address")) == [
        {"userId": "u1", "addressKey": "k"}
    ]


def test_transactions_that_meet_are_both_made(dynamo: Dynamo) -> None:
    dynamo.write(Put(USERS, {"userId": "u1", "version": 0}))
    start = threading.Barrier(4)

    def count_up(name: str) -> None:
        start.wait()
        for number in range(20):
            entry = Put(AUDIT, {"auditId": f"{name}{number}"})
            assert dynamo.transact([Update(USERS, ("u1",), adds={"version": 1}), entry]) == ()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count_up, "abcd"))
    assert dynamo.get(USERS, "u1") == {"userId": "u1", "version": 80}


def test_what_passes_is_waited_out(dynamodb_tables: DynamoSettings, fault_proxy: FaultProxy) -> None:
    dynamo = dynamo_of(fault_proxy.url, dynamodb_tables)
    for fault in (_THROTTLED, Fault(status=503), Fault(drop=True), Fault(drop=True, taken=True)):
        fault_proxy.faults.add("/", fault, times=2)
        assert dynamo.transact([Update(USERS, ("u1",), adds={"version": 1})]) == ()
    assert dynamo.get(USERS, "u1") == {"userId": "u1", "version": 4}


def test_an_answer_that_is_cut_off_is_not_taken_for_one_that_says_nothing(
    dynamodb_tables: DynamoSettings, fault_proxy: FaultProxy
) -> None:
    dynamo = dynamo_of(fault_proxy.url, dynamodb_tables)
    dynamo.write_many(Put(ORDERS, {"userId": "u1", "orderId": f"o{number}"}) for number in range(9))
    fault_proxy.faults.add("/", Fault(cut=True), times=2)
    assert dynamo.get(ORDERS, "u1", "o1") == {"userId": "u1", "orderId": "o1"}
    fault_proxy.faults.add("/", Fault(cut=True), times=2)
    assert len(list(dynamo.query(ORDERS, equals("userId", "u1")))) == 9


def test_a_transaction_whose_answer_is_lost_is_not_made_twice(
    dynamodb_tables: DynamoSettings, fault_proxy: FaultProxy
) -> None:
    dynamo = dynamo_of(fault_proxy.url, dynamodb_tables)
    fault_proxy.faults.add("/", Fault(drop=True, taken=True), times=4)
    assert dynamo.transact([Put(USERS, {"userId": "u1"}, absent("userId"))]) == ()


def test_what_a_batch_leaves_is_taken_up_again(dynamodb_tables: DynamoSettings, fault_proxy: FaultProxy) -> None:
    dynamo = dynamo_of(fault_proxy.url, dynamodb_tables)
    called, key = dynamodb_tables.users_table, {"userId": {"S": "u1"}}
    left: dict[str, Any] = {"UnprocessedItems": {called: [{"PutRequest": {"Item": key}}]}}
    fault_proxy.faults.add("/", Fault(status=200, reply=json.dumps(left)))
    dynamo.write_many([Put(USERS, {"userId": "u1"}), Put(USERS, {"userId": "u2"})])
    assert dynamo.get(USERS, "u1") == {"userId": "u1"}
    left = {"Responses": {}, "UnprocessedKeys": {called: {"Keys": [key]}}}
    fault_proxy.faults.add("/", Fault(status=200, reply=json.dumps(left)))
    assert dynamo.get_many(USERS, [("u1",)]) == [{"userId": "u1"}]


def test_who_never_answers_is_given_up(dynamodb_tables: DynamoSettings, fault_proxy: FaultProxy) -> None:
    waited: list[float] = []
    dynamo = dynamo_of(fault_proxy.url, dynamodb_tables)
    dynamo = Dynamo(dynamo.client, dynamodb_tables.tables, waited.append)
    fault_proxy.faults.decide = lambda stage: _THROTTLED
    with pytest.raises(UnavailableError):
        dynamo.get(USERS, "u1")
    assert len(waited) > 5
    assert max(waited) > waited[0]
