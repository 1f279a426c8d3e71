"""Under one key a thing is created once, whatever happens in between."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from engagement_pipeline.delivery import on_request
from engagement_pipeline.platform.audit import audit_log
from engagement_pipeline.platform.idempotency import idempotency_keys
from engagement_pipeline.users.tables import users
from engagement_pipeline_tests.web.api.shop import Shop

KEY = {"Idempotency-Key": "ada@example.com-1"}
ADA: dict[str, Any] = {"user_id": "ada", "email": "ada@example.com"}
WISH = "/api/users/u5/emails"


def test_the_same_request_has_the_same_answer_and_is_done_once(api_shop: Shop, api: TestClient) -> None:
    first = api.post("/api/users", json=ADA, headers=KEY)
    second = api.post("/api/users", json=ADA, headers=KEY)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert second.headers["etag"] == first.headers["etag"]
    assert second.headers["idempotency-replayed"] == "true"
    assert len(api_shop.rows(audit_log)) == 1


def test_another_request_under_the_key_is_refused(api: TestClient) -> None:
    api.post("/api/users", json=ADA, headers=KEY)
    assert api.post("/api/users", json=ADA | {"consent": True}, headers=KEY).status_code == 422
    assert api.post("/api/orders", json={}, headers=KEY).status_code == 422


def test_keys_are_those_of_their_token_and_kept_for_a_day(api_shop: Shop, api: TestClient) -> None:
    other = api_shop.client(api_shop.token("other"))
    assert api.post("/api/users", json=ADA, headers=KEY).status_code == 201
    assert other.post("/api/users", json=ADA, headers=KEY).status_code == 409
    api_shop.later(hours=25)
    assert api.post("/api/users", json=ADA, headers=KEY).status_code == 409


def test_what_was_refused_may_be_tried_again(api: TestClient) -> None:
    assert api.post("/api/users", json=ADA | {"email": "x"}, headers=KEY).status_code == 422
    assert api.post("/api/users", json=ADA, headers=KEY).status_code == 201


def test_neither_key_nor_address_can_be_read_in_the_store(api_shop: Shop, api: TestClient) -> None:
    api.post("/api/order-batches", json={"orders": [_order()]}, headers=KEY)
    assert "ada@example.com" not in repr(api_shop.rows(idempotency_keys))


def test_an_answer_about_somebody_who_was_erased_is_gone(api_shop: Shop, api: TestClient) -> None:
    api.post("/api/users", json=ADA, headers=KEY)
    api.post("/api/users/ada/erase")
    answer = api.post("/api/users", json=ADA, headers=KEY)
    assert answer.status_code == 410
    assert "ada@example.com" not in repr(api_shop.rows(idempotency_keys))
    assert [row for row in api_shop.rows(users) if row["user_id"] == "ada"] == []


def test_so_is_the_answer_to_a_batch_that_names_them_and_no_other(api_shop: Shop, api: TestClient) -> None:
    for place, user_id in enumerate(("u1", "u10", "u%")):
        api.post("/api/users", json={"user_id": user_id})
        batch = {"orders": [_order() | {"order_id": f"n{place}", "user_id": user_id}]}
        assert api.post("/api/order-batches", json=batch, headers={"Idempotency-Key": user_id}).status_code == 200
    api.post("/api/users/u%25/erase")
    api.post("/api/users/u1/erase")
    kept = [row["body"]["body"]["users"] for row in api_shop.rows(idempotency_keys) if row["body"]]
    assert [[user["user_id"] for user in users] for users in kept] == [["u10"]]


@pytest.fixture
def slow_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Lets a wish begin, and holds it until it may go on."""
    begun, go_on = threading.Event(), threading.Event()

    def slow(*values: Any, **named: Any) -> Any:
        begun.set()
        assert go_on.wait(30)
        return on_request.request_email(*values, **named)

    monkeypatch.setattr("engagement_pipeline.web.api.persons.request_email", slow)
    yield begun, go_on
    go_on.set()


def test_while_it_is_being_done_nobody_else_does_it(
    api: TestClient, slow_engine: tuple[threading.Event, threading.Event]
) -> None:
    begun, go_on = slow_engine
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(api.post(WISH, json={}, headers=KEY).status_code))
    thread.start()
    assert begun.wait(30)
    waiting = api.post(WISH, json={}, headers=KEY)
    go_on.set()
    thread.join(30)
    assert waiting.status_code == 409
    assert "right now" in waiting.json()["detail"]
    assert answers == [200] or answers == [201]
    assert api.post(WISH, json={}, headers=KEY).headers["idempotency-replayed"] == "true"


def test_whoever_died_on_the_way_does_not_keep_the_key(api_shop: Shop, api: TestClient) -> None:
    api.post(WISH, json={}, headers=KEY)
    with api_shop.database.write() as connection:
        connection.execute(sa.update(idempotency_keys).values(status=None, body=None))
    assert api.post(WISH, json={}, headers=KEY).status_code == 409
    api_shop.now += timedelta(minutes=3)
    # What it had done before it died is found.
    assert api.post(WISH, json={}, headers=KEY).json()["email_id"] == api.get("/api/users/u5").json()["open_email_id"]


def test_many_at_once_create_one(api_shop: Shop, api: TestClient) -> None:
    answers: list[Any] = []

    def ask() -> None:
        answers.append(api.post("/api/users", json=ADA, headers=KEY))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert {answer.status_code for answer in answers} == {201}
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 7
    assert len(api_shop.rows(audit_log)) == 1


def _order() -> dict[str, Any]:
    return {"order_id": "n", "user_id": "u1", "ordered_at": "2026-03-02T12:00:00Z", "total_value": 1}
