"""Every route of the API without a token, with a wrong one, with one that may only read; and what no request may."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from starlette.types import Message

from engagement_pipeline.platform.settings_groups import WebSettings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.web.security import tokens
from engagement_pipeline.web.security.requests import MOST_BYTES, MOST_BYTES_OF_A_BATCH
from engagement_pipeline.web.security.tables import api_tokens
from engagement_pipeline_tests.web.api.shop import Shop

OPEN = {"/health", "/ready"}
# Posts that change nothing.
LOOKING = {"/api/suppression-lookups"}
WRONG = [
    "Bearer egp_" + "x" * 43,
    "Bearer ",
    "Bearer",
    "Basic dXNlcjpwYXNz",
    "egp_" + "x" * 43,
    "Bearer ' OR 1=1 --",
]
IDS = {"edition": "0123abcd4567", "user_id": "u1", "order_id": "o1", "email_id": "2" * 32, "address_key": "a" * 64}


@pytest.fixture
def shop(sqlite_url: str, tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(Database(sqlite_url), tmp_path)
    shop.fill()
    yield shop
    shop.database.close()


def operations(shop: Shop) -> list[tuple[str, str]]:
    """Methods and paths of everything that is documented, with ids that there are."""
    described = shop.client().get("/api/openapi.json").json()
    return [
        (method.upper(), path.format(**IDS))
        for path, item in described["paths"].items()
        for method in item
        if path not in OPEN
    ]


def everything(shop: Shop) -> dict[str, list[dict[str, Any]]]:
    with shop.database.read() as connection:
        names = sa.inspect(connection).get_table_names()
    metadata = sa.MetaData()
    metadata.reflect(shop.database.engine)
    return {name: shop.rows(metadata.tables[name]) for name in names if name not in ("api_tokens", "idempotency_keys")}


def test_without_a_token_nothing_is_told_and_nothing_changes(shop: Shop) -> None:
    shop.token()
    before = everything(shop)
    for method, path in operations(shop):
        answer = shop.client().request(method, path, json={})
        assert answer.status_code == 401, (method, path)
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["type"].endswith("unauthorised")
    assert everything(shop) == before


@pytest.mark.parametrize("header", WRONG)
def test_with_a_wrong_token_neither(shop: Shop, header: str) -> None:
    shop.token()
    before = everything(shop)
    for method, path in operations(shop):
        answer = shop.client().request(method, path, json={}, headers={"Authorization": header})
        assert answer.status_code == 401, (method, path)
    assert everything(shop) == before


def test_with_a_token_for_reading_nothing_changes(shop: Shop) -> None:
    client = shop.client(shop.token("reader", "read"))
    before = everything(shop)
    tried = 0
    for method, path in operations(shop):
        if method == "GET" or path in LOOKING:
            assert client.request(method, path, json={"address": "a@example.com"}).status_code in (200, 404), path
            continue
        tried += 1
        answer = client.request(method, path, json={"became": "sent"}, headers={"If-Match": "*"})
        assert answer.status_code == 403, (method, path)
    assert tried > 10
    after = everything(shop)
    # What leaves the house is recorded, whoever takes it.
    recorded = {row["action"] for row in after.pop("audit_log")}
    assert recorded == {"user.exported", "suppressions.exported"}
    assert before.pop("audit_log") == []
    assert after == before


def test_a_revoked_token_is_a_wrong_one_at_once(shop: Shop) -> None:
    client = shop.client(shop.token())
    assert client.get("/api/users").status_code == 200
    with shop.database.write() as connection:
        tokens.revoke(connection, "shop", shop.now)
    assert client.get("/api/users").status_code == 401


def test_without_any_token_this_machine_alone_is_answered(shop: Shop) -> None:
    assert shop.here().get("/api/users").status_code == 200
    assert shop.here("http://localhost:8000").get("/api/users").status_code == 200
    assert shop.client().get("/api/users").status_code == 401
    # A name that was made to lead here, a proxy, and another site's page.
    assert shop.here("http://evil.example:8000").get("/api/users").status_code == 401
    for name, value in (
        ("X-Forwarded-For", "127.0.0.1"),
        ("Forwarded", "for=127.0.0.1"),
        ("Origin", "https://evil.example"),
        ("Sec-Fetch-Site", "cross-site"),
    ):
        assert shop.here(**{name: value}).get("/api/users").status_code == 401, name
        refused = shop.here(**{name: value}).post("/api/users/u1/erase")
        assert refused.status_code == 401, name
    shop.token()
    assert shop.here().get("/api/users").status_code == 401


@pytest.mark.parametrize("path", ["/unsubscribe", "/health", "/o/x.gif", "/api/users", "/login", "/nothing", "/"])
def test_a_token_in_an_address_is_refused_everywhere(shop: Shop, path: str) -> None:
    token = shop.token()
    client = shop.client(token)
    encoded = token.replace("_", "%5F", 1)
    for query in (f"token={token}", f"x={encoded}", f"access_token={token}", "a=1&access_token=x"):
        answer = client.get(f"{path}?{query}")
        assert answer.status_code == 400, query
        assert token not in answer.text
        assert "Revoke" in answer.text
    assert client.get(f"{path.rstrip('/')}/{token}").status_code == 400


def test_use_is_noted_after_the_answer_and_once_an_hour(shop: Shop) -> None:
    client = shop.client(shop.token())
    client.get("/api/users")
    assert shop.rows(api_tokens)[0]["last_used_at"] == shop.now
    before = shop.now
    shop.later(minutes=30)
    client.get("/api/users")
    assert shop.rows(api_tokens)[0]["last_used_at"] == before
    shop.later(minutes=31)
    client.get("/api/users")
    assert shop.rows(api_tokens)[0]["last_used_at"] == shop.now


def test_who_asks_too_often_is_told_when_to_come_back(shop: Shop) -> None:
    # One in a hundred seconds: however slow the machine, no second one comes due meanwhile.
    slow = Shop(shop.database, shop.settings.data_dir, web=WebSettings(requests_per_second=0.01))
    one, other = slow.client(slow.token("one")), slow.client(slow.token("two"))
    answers = [one.get("/api/system") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 429, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 100
    assert answers[-1].headers["content-type"] == "application/problem+json"
    assert other.get("/api/system").status_code == 200


def test_who_guesses_is_slowed_down_and_who_knows_is_not(shop: Shop) -> None:
    slow = Shop(shop.database, shop.settings.data_dir, web=WebSettings(requests_per_second=1))
    token = slow.token()
    guesses = [slow.client("egp_" + "x" * 43).get("/api/users").status_code for _ in range(3)]
    assert guesses == [401, 429, 429]
    assert slow.client().post("/login", data={"token": "x"}).status_code == 429
    assert slow.client(token).get("/api/users").status_code == 200


def test_a_huge_body_is_refused_before_it_is_read(shop: Shop) -> None:
    client = shop.client(shop.token())
    huge = {"Content-Length": str(1024**3), "Content-Type": "application/json"}
    answer = client.post("/api/users", content=(b"x" for _ in range(3)), headers=huge)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert client.post("/api/users", content=b"x" * (MOST_BYTES + 1)).status_code == 413
    batch = client.post("/api/order-batches", content=b" " * MOST_BYTES_OF_A_BATCH)
    assert batch.status_code == 422
    assert client.post("/api/order-batches", content=b" " * (MOST_BYTES_OF_A_BATCH + 1)).status_code == 413


def test_an_endless_body_is_not_read_on(shop: Shop) -> None:
    taken = 0
    said: list[Message] = []

    async def receive() -> Message:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": b" " * 65_536, "more_body": True}

    async def send(message: Message) -> None:
        said.append(message)

    token = shop.token()
    headers = [(b"authorization", f"Bearer {token}".encode()), (b"content-type", b"application/json")]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/users",
        "raw_path": b"/api/users",
        "query_string": b"",
        "headers": headers,
        "client": ("10.0.0.1", 1),
        "scheme": "https",
        "server": ("shop.example.net", 443),
        "http_version": "1.1",
        "root_path": "",
        "state": {},
    }
    asyncio.run(shop.app(scope, receive, send))
    assert said[0]["status"] == 413
    assert taken == MOST_BYTES // 65_536 + 1


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b"{", b"\xff", b'{"user_id": 1' + b"0" * 5_000 + b"}", b"null", b"NaN"]
)
def test_json_that_is_none_is_the_senders_fault(shop: Shop, body: bytes) -> None:
    client = shop.client(shop.token())
    answer = client.post("/api/users", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_errors_are_problems_with_the_methods_there_are(shop: Shop) -> None:
    client = shop.client(shop.token())
    wrong = client.put("/api/users")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, POST")
    assert client.get("/api/nothing").json()["status"] == 404
    assert client.get("/api/users/").status_code == 404
    assert client.get("/api/users").headers["api-version"] == "1.0.0"


def test_what_nobody_expected_is_noted_without_what_was_sent(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("@".join(("u1", "example.com")))

    monkeypatch.setattr("engagement_pipeline.web.api.users.user_answer", fail)
    answer = shop.client(shop.token()).get("/api/users/u1")
    assert answer.status_code == 500
    assert answer.json()["request_id"] in caplog.text
    assert "RuntimeError" in caplog.text
    assert "u1@example.com" not in caplog.text + answer.text


def test_a_held_store_asks_to_come_back(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    from engagement_pipeline.platform import sql

    monkeypatch.setattr(sql, "BUSY_TIMEOUT_MS", 50)
    client = shop.client(shop.token())
    other = Database(shop.settings.store_url)
    with other.write():
        answer = client.post("/api/users", json={"user_id": "ada"})
    other.close()
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "30"


def test_no_log_holds_an_address_or_a_token(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = shop.token()
    client = shop.client(token)
    client.post("/api/users", json={"user_id": "x", "email": "someone@example.com", "name": "Some Body"})
    client.get("/api/users?q=someone@example.com")
    client.get("/api/users/x/export")
    ours = "\n".join(each.getMessage() for each in caplog.records if not each.name.startswith(("httpx", "httpcore")))
    for word in ("someone@example.com", "Some Body", token):
        assert word not in ours


def login(client: TestClient, token: str, **fields: str) -> Any:
    return client.post("/login", data={"token": token} | fields)


def test_a_session_is_for_people_alone_and_its_cookie_for_nobody_elses_eyes(shop: Shop) -> None:
    token = shop.token()
    client = shop.client()
    answer = login(client, token, next="/users?band=critical")
    assert (answer.status_code, answer.headers["location"]) == (303, "/users?band=critical")
    cookie = answer.headers["set-cookie"].lower()
    for part in ("httponly", "samesite=lax", "secure", "max-age=43200", "path=/"):
        assert part in cookie
    assert token not in cookie
    # Another site's form could send it along.
    assert client.get("/api/users").status_code == 401
    assert "secure" not in login(shop.here(), token).headers["set-cookie"].lower()


@pytest.mark.parametrize(
    "target", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/\n/evil", "users"]
)
def test_the_login_leads_nowhere_else(shop: Shop, target: str) -> None:
    assert login(shop.client(), shop.token(), next=target).headers["location"] == "/"


def test_another_sites_form_logs_nobody_in(shop: Shop) -> None:
    client = shop.client(Origin="https://evil.example")
    assert login(client, shop.token()).status_code == 403


def test_logging_out_and_revoking_end_the_session(shop: Shop) -> None:
    client = shop.client()
    login(client, shop.token())
    assert client.get("/users").status_code == 200
    assert client.post("/logout").status_code == 403
    with shop.database.write() as connection:
        tokens.revoke(connection, "shop", shop.now)
    assert client.get("/users").status_code == 303
