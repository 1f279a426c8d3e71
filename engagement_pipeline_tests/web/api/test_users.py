"""Users over the API: the score at once, changes for the version that was read, the change log as for any change."""

from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from engagement_pipeline.platform.audit import audit_log
from engagement_pipeline.users.tables import users
from engagement_pipeline_tests.users.builders import log_of, newest_seq
from engagement_pipeline_tests.web.api.shop import Shop

ADA: dict[str, Any] = {"user_id": "ada/1", "email": "Ada@Example.com", "name": "Ada Lovelace", "consent": True}


def test_a_user_is_created_with_a_score_and_the_pipeline_hears_of_it(api_shop: Shop, api: TestClient) -> None:
    seq = newest_seq(api_shop.database)
    stated = {"order_count": 2, "average_order_value": 20.0, "last_order_at": "2026-01-01T00:00:00+02:00"}
    answer = api.post("/api/users", json=ADA | stated)
    assert answer.status_code == 201
    body = answer.json()
    assert body["score"]["band"] in ("critical", "at_risk")
    assert body["score"]["start"] + sum(each["points"] for each in body["score"]["contributions"]) == pytest.approx(
        body["score"]["score"], abs=0.05
    )
    assert body["last_order_at"] == "2025-12-31T22:00:00Z"
    assert answer.headers["location"] == "/api/users/ada%2F1"
    assert log_of(api_shop.database, seq) == [("user", "ada/1", "ada/1", "created")]
    again = api.get(answer.headers["location"])
    assert again.json() == body
    assert again.headers["etag"] == answer.headers["etag"] == '"v1"'
    assert api.post("/api/users", json=ADA).status_code == 409


def test_without_a_full_run_there_is_no_score_but_a_reason(api_shop: Shop, api: TestClient) -> None:
    with api_shop.database.write() as connection:
        connection.execute(sa.text("DELETE FROM published"))
    body = api.post("/api/users", json=ADA).json()
    assert body["score"] is None
    assert "first full run" in body["why_no_score"]


def test_a_change_needs_the_version_that_was_read(api: TestClient) -> None:
    path, change = "/api/users/u1", {"consent": False}
    etag = api.get(path).headers["etag"]
    assert api.patch(path, json=change).status_code == 428
    assert api.patch(path, json=change, headers={"If-Match": '"v999"'}).status_code == 412
    assert api.patch(path, json=change, headers={"If-Match": "nonsense"}).status_code == 412
    changed = api.patch(path, json=change, headers={"If-Match": f'"x", W/{etag}'})
    assert changed.status_code == 200
    assert changed.json()["consent"] is False
    assert changed.json()["name"] == "Ada Test 1"
    assert api.put(path, json=change, headers={"If-Match": etag}).status_code == 412
    replaced = api.put(path, json={"email": "u1@example.com"}, headers={"If-Match": changed.headers["etag"]})
    assert replaced.json()["name"] is None
    assert replaced.json()["order_count"] == 1
    assert api.patch("/api/users/nobody", json={}, headers={"If-Match": "*"}).status_code == 404


def test_saying_the_same_changes_nothing(api_shop: Shop, api: TestClient) -> None:
    seq = newest_seq(api_shop.database)
    answer = api.patch("/api/users/u1", json={"name": "Ada Test 1"}, headers={"If-Match": "*"})
    assert answer.status_code == 200
    assert log_of(api_shop.database, seq) == []
    assert api_shop.rows(audit_log) == []


def test_deleting_honours_the_version_and_takes_the_orders_along(api_shop: Shop, api: TestClient) -> None:
    assert api.delete("/api/users/u1", headers={"If-Match": '"v999"'}).status_code == 412
    assert api.delete("/api/users/u1").status_code == 204
    assert api.get("/api/users/u1").status_code == 404
    assert api.get("/api/orders/o1").status_code == 404
    assert api.delete("/api/users/u1").status_code == 404


def test_every_write_is_in_the_audit_log_with_who_and_what_and_no_value(api_shop: Shop, api: TestClient) -> None:
    created = api.post("/api/users", json=ADA)
    api.patch("/api/users/ada%2F1", json={"name": "Ada King"}, headers={"If-Match": "*"})
    api.delete("/api/users/ada%2F1")
    rows = api_shop.rows(audit_log)
    assert [(row["actor"], row["action"], row["entity_id"]) for row in rows] == [
        ("shop", action, "ada/1") for action in ("user.created", "user.updated", "user.deleted")
    ]
    assert rows[1]["details"] == {"fields": ["name"]}
    assert rows[0]["request_id"] == created.headers["x-request-id"]
    assert not any(word in str(rows) for word in ("Lovelace", "King", "@"))
    listed = api.get("/api/audit", params={"entity": "user", "entity_id": "ada/1", "limit": 2}).json()
    assert [each["action"] for each in listed["items"]] == ["user.deleted", "user.updated"]
    assert [each["action"] for each in api.get(listed["next"]).json()["items"]] == ["user.created"]


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"email": "no address"}, "email", "invalid_email"),
        ({"email": 5}, "email", "string_type"),
        ({"name": "two\nlines"}, "name", "string_pattern_mismatch"),
        ({"name": ""}, "name", "string_too_short"),
        ({"consent": "yes"}, "consent", "bool_type"),
        ({"time_zone": "Mars/Olympus"}, "time_zone", "unknown_time_zone"),
        ({"preferred_categories": "shoes"}, "preferred_categories", "list_type"),
        ({"order_count": 2.5}, "order_count", "int_type"),
        ({"order_count": 3}, "body", "inconsistent"),
        ({"last_order_at": "2026-02-27"}, "last_order_at", "not_a_moment"),
        ({"last_order_at": 1_700_000_000}, "last_order_at", "not_a_moment"),
        ({"last_order_at": "2026-03-05T12:00:00Z"}, "last_order_at", "in_the_future"),
        ({"last_order_at": "1066-10-14T12:00:00Z"}, "last_order_at", "date_out_of_range"),
        ({"surname": "Lovelace"}, "surname", "extra_forbidden"),
        ({"ada@example.com": 1}, "(unknown)", "extra_forbidden"),
        ({"user_id": " blank "}, "user_id", "string_pattern_mismatch"),
    ],
)
def test_what_is_wrong_is_named_and_never_repeated(
    api: TestClient, change: dict[str, Any], field: str, reason: str
) -> None:
    answer = api.post("/api/users", json=ADA | change)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert [(error["field"], error["reason"]) for error in problem["errors"]] == [(field, reason)]
    assert problem["request_id"] == answer.headers["x-request-id"]
    said = answer.text.lower()
    for value in map(str, change.values()):
        assert len(value) < 4 or value.lower() not in said
    assert "@" not in said


def test_lists_page_by_page(api: TestClient) -> None:
    found: list[str] = []
    path: str | None = "/api/users?band=critical&sort=-score&limit=7"
    while path:
        page = api.get(path).json()
        found += [user["user_id"] for user in page["items"]]
        path = page["next"]
    assert found == [f"u{n}" for n in reversed(range(20))]


def test_a_cursor_of_another_list_is_refused(api: TestClient) -> None:
    following = api.get("/api/users?band=critical&limit=2").json()["next"]
    assert api.get(following.replace("critical", "at_risk")).status_code == 400
    assert api.get(following.replace("/api/users", "/api/emails").replace("band=critical&", "")).status_code == 400
    assert api.get("/api/users?cursor=abc").json()["title"] == "Bad request"


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "band=best", "sort=email", "score_from=-1", "score_to=NaN", "page=2", "q=%00"],
)
def test_what_a_list_does_not_know_is_refused(api: TestClient, query: str) -> None:
    assert api.get(f"/api/users?{query}").status_code == 422


SHARP = [
    "' OR 1=1 --",
    "u1'; DROP TABLE users; --",
    "%",
    "_",
    "\\",
    "../../etc/passwd",
    "{{7*7}}",
    "\u202e",
    "\u0000",
    "u1\r\nX: y",
]


def filters(api: TestClient) -> list[str]:
    """Where a list or a path takes any text at all."""
    paths = api.get("/api/openapi.json").json()["paths"]
    lists = [
        f"{path}?{parameter['name']}="
        for path, item in paths.items()
        for parameter in item.get("get", {}).get("parameters", [])
        if parameter["in"] == "query" and parameter["schema"].get("type") == "string" and "{" not in path
        if not {"enum", "format"} & set(parameter["schema"])
    ]
    return [*lists, *(path.partition("{")[0] for path, item in paths.items() if "{" in path and "get" in item)]


@pytest.mark.parametrize("text", SHARP)
def test_nothing_in_a_filter_or_path_is_sql_or_a_path(api_shop: Shop, api: TestClient, text: str) -> None:
    places = filters(api)
    assert {"/api/users?q=", "/api/suppressions?source=", "/api/audit?entity_id=", "/api/orders/"} <= set(places)
    for place in places:
        answer = api.get(place + quote(text, safe=""))
        assert answer.status_code in (200, 400, 404, 422), place
        if answer.status_code == 200:
            assert answer.json()["items"] == []
    assert len(api_shop.rows(users)) == 30


def test_export_and_erasure(api_shop: Shop, api: TestClient) -> None:
    exported = api.get("/api/users/u1/export").json()
    assert exported["user"]["name"] == "Ada Test 1"
    assert [order["order_id"] for order in exported["orders"]] == ["o1"]
    report = api.post("/api/users/u1/erase").json()
    assert (report["orders"], report["emails"], report["left"]) == (1, 1, None)
    assert api.get("/api/users/u1").status_code == 404
    key = api.post("/api/suppression-lookups", json={"address": "u1@example.com"}).json()["address_key"]
    assert api.delete(f"/api/suppressions/{key}").status_code == 409
    assert api.post("/api/users/nobody/erase").status_code == 404


def test_the_timeline_and_what_belongs_to_a_user(api: TestClient) -> None:
    kinds = {entry["kind"] for entry in api.get("/api/users/u1/timeline").json()["items"]}
    assert {"order", "decision", "email"} <= kinds
    assert [each["order_id"] for each in api.get("/api/users/u1/orders").json()["items"]] == ["o1"]
    assert [each["user_id"] for each in api.get("/api/users/u1/emails").json()["items"]] == ["u1"]
    for part in ("emails", "orders", "timeline", "export"):
        assert api.get(f"/api/users/nobody/{part}").status_code == 404
