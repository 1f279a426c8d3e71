"""Every error that the description promises can happen, in the form that it promises, and where it is promised."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from httpx2 import Response

from engagement_pipeline.delivery import suppressions
from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.migrations import upgrade
from engagement_pipeline.platform.settings_groups import WebSettings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.web.api.problems import KINDS, MEDIA_TYPE
from engagement_pipeline_tests.web.api.shop import Shop

USER: dict[str, Any] = {"user_id": "ada", "email": "ada@example.com"}
ORDER: dict[str, Any] = {"order_id": "n", "user_id": "ada", "ordered_at": "2026-03-02T12:00:00Z", "total_value": 1}
CSV = {"Content-Type": "text/csv"}
KEY = {"Idempotency-Key": "k"}
ERASED_KEY = "e" * 64
THERE = {"edition": "0123abcd4567", "user_id": "u1", "order_id": "o1", "email_id": "2" * 32, "address_key": "a" * 64}
NOT_THERE = {"edition": "f" * 12, "user_id": "no", "order_id": "no", "email_id": "0" * 32, "address_key": "0" * 64}
BODIES: Mapping[str, dict[str, Any]] = {
    "create_user": {"json": USER},
    "replace_user": {"json": {}},
    "change_user": {"json": {}},
    "write_to_user": {"json": {}},
    "write_order": {"json": ORDER},
    "write_orders": {"json": {"orders": [ORDER]}},
    "resolve_email": {"json": {"became": "sent"}},
    "decide_on_edition": {"json": {"verdict": "approved"}},
    "add_suppression": {"json": {"address": "ada@example.com"}},
    "look_up_suppression": {"json": {"address": "ada@example.com"}},
    "import_suppressions": {"content": b"email\nada@example.com\n", "headers": CSV},
}


class Asked:
    """One operation, and ways to go wrong with it."""

    def __init__(self, shop: Shop, slow: Shop, name: str, method: str, path: str) -> None:
        self.shop = shop
        self.slow = slow
        self.name = name
        self.method = method
        self.path = path
        self.client = shop.client(shop.token(name))

    def send(self, ids: Mapping[str, str] = THERE, client: TestClient | None = None, **changes: Any) -> Response:
        given = BODIES.get(self.name, {})
        headers = {"If-Match": "*", **given.get("headers", {}), **changes.pop("headers", {})}
        path = self.path.format(**ids) + changes.pop("query", "")
        sent = {**given, **changes, "headers": {name: value for name, value in headers.items() if value}}
        return (client or self.client).request(self.method, path, **sent)

    def with_a_token_in_the_address(self) -> Response:
        return self.send(query="?access_token=x")

    def without_a_token(self) -> Response:
        return self.send(client=self.shop.client())

    def by_who_may_only_read(self) -> Response:
        return self.send(client=self.shop.client(self.shop.token(f"{self.name}-reader", "read")))

    def of_what_is_not_there(self) -> Response:
        return self.send(NOT_THERE)

    def in_the_wrong_state(self) -> Response:
        """Twice, or against what was decided for good."""
        with self.shop.database.write() as connection:
            suppressions.add(connection, ERASED_KEY, suppressions.ERASED, suppressions.ERASED, self.shop.now)
        ids = THERE | {"user_id": "u6", "address_key": ERASED_KEY}
        if self.name in ("create_user", "write_to_user", "resolve_email"):
            assert self.send(ids).status_code < 300
        return self.send(ids)

    def about_somebody_who_was_erased(self) -> Response:
        self.client.post("/api/users", json=USER | {"consent": True, "last_order_at": "2025-12-01T00:00:00Z"})
        if self.name == "create_user":
            self.client.delete("/api/users/ada")
        ids = THERE | {"user_id": "ada"}
        assert self.send(ids, headers=KEY).status_code < 300
        assert self.client.post("/api/users/ada/erase").status_code == 200
        return self.send(ids, headers=KEY)

    def of_another_version(self) -> Response:
        return self.send(headers={"If-Match": '"v999"'})

    def with_a_gigabyte(self) -> Response:
        return self.send(json=None, content=(b"x" for _ in range(3)), headers={"Content-Length": str(1024**3), **CSV})

    def of_another_kind(self) -> Response:
        return self.send(headers={"Content-Type": "application/xml"})

    def with_what_nobody_asked_for(self) -> Response:
        return self.send(query="?nobody_asked=1")

    def without_a_version(self) -> Response:
        return self.send(headers={"If-Match": ""})

    def too_often(self) -> Response:
        client = self.slow.client(self.slow.token(f"{self.name}-often"))
        client.get("/api/system")
        return self.send(client=client)

    def without_a_store(self) -> Response:
        with self.shop.database.write() as connection:
            connection.execute(sa.text("ALTER TABLE api_tokens RENAME TO gone"))
        try:
            return self.send()
        finally:
            with self.shop.database.write() as connection:
                connection.execute(sa.text("ALTER TABLE gone RENAME TO api_tokens"))


WAYS: Mapping[int, Callable[[Asked], Response]] = {
    400: Asked.with_a_token_in_the_address,
    401: Asked.without_a_token,
    403: Asked.by_who_may_only_read,
    404: Asked.of_what_is_not_there,
    409: Asked.in_the_wrong_state,
    410: Asked.about_somebody_who_was_erased,
    412: Asked.of_another_version,
    413: Asked.with_a_gigabyte,
    415: Asked.of_another_kind,
    422: Asked.with_what_nobody_asked_for,
    428: Asked.without_a_version,
    429: Asked.too_often,
    503: Asked.without_a_store,
}


# What one of these leaves behind stands in the way of the next.
LEAVE_TRACES = (409, 410)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled")
    database = Database(f"sqlite:///{folder / 'engagement.db'}")
    upgrade(database)
    shop = Shop(database, folder)
    shop.fill()
    with database.write() as connection:
        waits = {"status": "draft", "campaign": shop.settings.campaign, "edition": THERE["edition"]}
        connection.execute(sa.update(emails).where(emails.c.email_id == "5" * 32).values(waits))
        suppressions.add(connection, THERE["address_key"], "manual", "person", shop.now)
    # What is still in the write-ahead log would not be copied, and whoever else has the file open may keep it there.
    database.maintain("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return folder / "engagement.db"


def shop_of(filled: Path, folder: Path) -> Shop:
    folder.mkdir()
    shutil.copy(filled, folder / "engagement.db")
    return Shop(Database(f"sqlite:///{folder / 'engagement.db'}"), folder)


def patient(shop: Shop) -> Shop:
    """The same shop, where one may ask once in a hundred seconds."""
    return Shop(shop.database, shop.settings.data_dir, web=WebSettings(requests_per_second=0.01))


def operations(shop: Shop) -> list[tuple[str, str, str, set[int]]]:
    """Name, method, path and documented errors of everything that needs a token."""
    described = shop.client().get("/api/openapi.json").json()
    return [
        (
            operation["operationId"],
            method.upper(),
            path,
            {int(code) for code in operation["responses"]} - {200, 201, 204},
        )
        for path, item in described["paths"].items()
        for method, operation in item.items()
        if "security" in operation
    ]


@pytest.mark.parametrize("status", WAYS)
def test_every_documented_error_happens(tmp_path: Path, filled: Path, status: int) -> None:
    shop = shop_of(filled, tmp_path / "all")
    documented = [each for each in operations(shop) if status in each[3]]
    assert documented
    slow = patient(shop)
    for name, method, path, _ in documented:
        own = shop_of(filled, tmp_path / name) if status in LEAVE_TRACES else shop
        answer = WAYS[status](Asked(own, slow, name, method, path))
        assert answer.status_code == status, (name, answer.text)
        assert answer.headers["content-type"] == MEDIA_TYPE, name
        problem = answer.json()
        assert (problem["status"], problem["title"]) == (status, KINDS[status].title), name
        assert problem["type"].endswith(f"#problem-{KINDS[status].name}"), name
        assert problem["request_id"] == answer.headers["x-request-id"], name


@pytest.mark.parametrize("status", [403, 404])
def test_an_error_that_is_not_documented_does_not_happen(tmp_path: Path, filled: Path, status: int) -> None:
    shop = shop_of(filled, tmp_path / "all")
    others = [each for each in operations(shop) if status not in each[3]]
    assert others
    slow = patient(shop)
    for name, method, path, _ in others:
        answer = WAYS[status](Asked(shop, slow, name, method, path))
        assert answer.status_code != status, name


def test_every_kind_of_problem_is_documented_somewhere(tmp_path: Path, filled: Path) -> None:
    found = {status for *_, statuses in operations(shop_of(filled, tmp_path / "all")) for status in statuses}
    assert found == set(WAYS)
    # Those that no operation promises: another method, and a mistake of ours.
    assert set(KINDS) - found == {405, 500}
