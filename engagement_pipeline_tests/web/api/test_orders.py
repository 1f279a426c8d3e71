"""Orders over the API: one or many, all or none, the score at once."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from engagement_pipeline.users.tables import orders
from engagement_pipeline_tests.users.builders import log_of, newest_seq
from engagement_pipeline_tests.web.api.shop import Shop

ORDER: dict[str, Any] = {
    "order_id": "new/1",
    "user_id": "u1",
    "ordered_at": "2026-03-02T12:00:00Z",
    "total_value": 20.004,
    "status": "created",
}


def test_an_order_raises_its_users_score_at_once(api_shop: Shop, api: TestClient) -> None:
    before = api.get("/api/users/u1").json()["score"]["score"]
    seq = newest_seq(api_shop.database)
    answer = api.post("/api/orders", json=ORDER)
    assert answer.status_code == 201
    assert answer.json()["result"] == "created"
    assert answer.json()["order"]["total_value"] == 20.0
    assert answer.json()["user"]["score"]["score"] > before
    assert answer.json()["user"]["score"] == {
        name: api.get("/api/users/u1").json()["score"][name] for name in ("score", "band")
    }
    assert log_of(api_shop.database, seq) == [("order", "new/1", "u1", "created")]
    assert api.get(answer.headers["location"]).json() == answer.json()["order"]


def test_the_same_id_replaces(api: TestClient) -> None:
    api.post("/api/orders", json=ORDER)
    assert api.post("/api/orders", json=ORDER).json()["result"] == "unchanged"
    changed = api.post("/api/orders", json=ORDER | {"status": "returned"})
    assert (changed.status_code, changed.json()["result"]) == (200, "updated")


def test_what_was_bought_is_kept_and_shown(api: TestClient) -> None:
    bought = ORDER | {"skus": ["DR-101", "AC-801"]}
    answer = api.post("/api/orders", json=bought)
    assert answer.json()["order"]["skus"] == ["DR-101", "AC-801"]
    assert api.get(answer.headers["location"]).json()["skus"] == ["DR-101", "AC-801"]
    assert api.get("/api/users/u1/orders").json()["items"][0]["skus"] == ["DR-101", "AC-801"]
    [told] = [each for each in api.get("/api/users/u1/timeline").json()["items"] if each["order_id"] == "new/1"]
    assert told["details"]["skus"] == ["DR-101", "AC-801"]
    assert api.post("/api/orders", json=ORDER).json()["order"]["skus"] == []


def test_a_batch_is_written_whole_or_not_at_all(api_shop: Shop, api: TestClient) -> None:
    batch = [ORDER | {"order_id": f"n{n}", "user_id": f"u{n % 3}"} for n in range(6)]
    answer = api.post("/api/order-batches", json={"orders": batch})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["created"], body["updated"], body["unchanged"]) == (6, 0, 0)
    assert [each["user_id"] for each in body["users"]] == ["u0", "u1", "u2"]
    for each in body["users"]:
        assert each["score"]["score"] == api.get(f"/api/users/{each['user_id']}").json()["score"]["score"]
    stored = len(api_shop.rows(orders))
    orphaned = [*batch, ORDER | {"order_id": "n9", "user_id": "nobody"}]
    refused = api.post("/api/order-batches", json={"orders": orphaned})
    assert refused.status_code == 422
    assert [(each["field"], each["reason"]) for each in refused.json()["errors"]] == [
        ("orders.6.user_id", "unknown_user")
    ]
    assert len(api_shop.rows(orders)) == stored


def test_a_large_batch_fits(api: TestClient) -> None:
    batch = [ORDER | {"order_id": f"n{n:05}", "user_id": f"u{n % 30}"} for n in range(10_000)]
    assert api.post("/api/order-batches", json={"orders": batch}).json()["created"] == 10_000
    assert api.post("/api/order-batches", json={"orders": [*batch, ORDER]}).status_code == 422
    assert api.post("/api/order-batches", json={"orders": []}).status_code == 422


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"total_value": -1}, "total_value"),
        ({"total_value": 1e300}, "total_value"),
        ({"total_value": "5"}, "total_value"),
        ({"item_count": 2**31}, "item_count"),
        ({"skus": "DR-101"}, "skus"),
        ({"skus": ["x"] * 101}, "skus"),
        ({"status": "lost"}, "status"),
        ({"ordered_at": "2026-03-04T12:00:00Z"}, "ordered_at"),
        ({"user_id": "nobody"}, "user_id"),
    ],
)
def test_what_is_wrong_is_named(api: TestClient, change: dict[str, Any], field: str) -> None:
    answer = api.post("/api/orders", json=ORDER | change)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    batch = api.post("/api/order-batches", json={"orders": [ORDER, ORDER | {"order_id": "n2"} | change]})
    assert [error["field"] for error in batch.json()["errors"]] == [f"orders.1.{field}"]
