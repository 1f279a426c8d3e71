"""Every write through the API leaves its entry: who, what, in which request; never what it said."""

from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from engagement_pipeline.delivery import breaker
from engagement_pipeline.platform import facts
from engagement_pipeline.platform.audit import audit_log
from engagement_pipeline.web.api.openapi import needs_write
from engagement_pipeline_tests.web.api.shop import Shop

ORDER = {"order_id": "n1", "user_id": "u1", "ordered_at": "2026-03-02T12:00:00Z", "total_value": 1}
ANY = {"If-Match": "*"}
CSV = {"Content-Type": "text/csv"}
KEY = "a" * 64

# In this order: what one makes, another one needs.
WRITES: dict[str, tuple[Callable[[TestClient], Response], list[str]]] = {
    "create_user": (lambda api: api.post("/api/users", json={"user_id": "ada", "name": "Ada"}), ["user.created"]),
    "replace_user": (lambda api: api.put("/api/users/ada", json={"name": "Ada K"}, headers=ANY), ["user.updated"]),
    "change_user": (lambda api: api.patch("/api/users/ada", json={"consent": True}, headers=ANY), ["user.updated"]),
    "delete_user": (lambda api: api.delete("/api/users/ada"), ["user.deleted"]),
    "write_order": (lambda api: api.post("/api/orders", json=ORDER), ["order.written"]),
    "write_orders": (
        lambda api: api.post("/api/order-batches", json={"orders": [ORDER | {"order_id": n} for n in ("n2", "n3")]}),
        ["order.written"] * 2,
    ),
    "write_to_user": (lambda api: api.post("/api/users/u6/emails", json={}), ["email.requested"]),
    "erase_user": (lambda api: api.post("/api/users/u7/erase"), ["user.erased"]),
    "resolve_email": (
        lambda api: api.post(f"/api/emails/{'2' * 32}/resolve", json={"became": "sent", "note": "in its log"}),
        ["email.resolved"],
    ),
    "decide_on_edition": (
        lambda api: api.put(f"/api/approvals/{edition(api)}", json={"verdict": "approved"}),
        ["copy.approved"],
    ),
    "add_suppression": (
        lambda api: api.post("/api/suppressions", json={"address": KEY, "reason": "manual"}),
        ["suppression.added"],
    ),
    "remove_suppression": (lambda api: api.delete(f"/api/suppressions/{KEY}"), ["suppression.removed"]),
    "import_suppressions": (
        lambda api: api.post("/api/suppression-file", content=b"email\nu9@example.com\n", headers=CSV),
        ["suppressions.imported"],
    ),
    "resume_sending": (lambda api: api.post("/api/system/resume"), ["sending.resumed"]),
}


def edition(api: TestClient) -> str:
    [waiting] = api.get("/api/approvals").json()["waiting"]
    found: str = waiting["edition"]
    return found


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_every_write_leaves_its_entry(api_shop: Shop) -> None:
    with api_shop.database.write() as connection:
        facts.put(connection, breaker._TRIPPED, "too many bounces")
    described = api_shop.client().get("/api/openapi.json").json()
    writing = {
        each["operationId"] for item in described["paths"].values() for each in item.values() if needs_write(each)
    }
    assert writing == set(WRITES)
    api = api_shop.client(api_shop.token("backend"))
    seen = 0
    for name, (write, actions) in WRITES.items():
        answer = write(api)
        assert answer.status_code < 300, (name, answer.text)
        rows = api_shop.rows(audit_log)[seen:]
        seen += len(rows)
        assert [row["action"] for row in rows] == actions, name
        assert {row["actor"] for row in rows} == {"backend"}, name
        assert {row["request_id"] for row in rows} == {answer.headers["x-request-id"]}, name
    kept = repr(api_shop.rows(audit_log))
    assert not any(word in kept for word in ("Ada", "@", "in its log"))


def test_nothing_but_erasing_changes_an_entry() -> None:
    """Of the whole program one function updates the log, and one the copy that is read; none deletes from it."""
    source = Path(__file__).parents[3] / "engagement_pipeline"
    touching: dict[str, list[str]] = {"update": [], "delete": []}
    for path in source.rglob("*.py"):
        for verb, found in touching.items():
            found += [path.name] * path.read_text(encoding="utf-8").count(f"sa.{verb}(audit_log)")
    assert {verb: sorted(found) for verb, found in touching.items()} == {
        "update": ["audit.py", "audit_rows.py"],
        "delete": [],
    }
