"""What holds for every answer."""

import logging
import re
from pathlib import Path
from typing import NoReturn

import pytest
from fastapi.testclient import TestClient

from engagement_pipeline.copywriting.brand import load_brand
from engagement_pipeline.delivery.sql_ledger import SqlLedger
from engagement_pipeline.migrations import upgrade
from engagement_pipeline.platform import sql
from engagement_pipeline.platform.dynamodb import UnavailableError
from engagement_pipeline.platform.settings import PROJECT_ROOT
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.keys import SecretKeyChangedError
from engagement_pipeline.web.pages import Pages
from engagement_pipeline.web.security.requests import MOST_BYTES
from engagement_pipeline.web.tracking import PIXEL
from engagement_pipeline_tests.copywriting.samples import brand
from engagement_pipeline_tests.web.conftest import Shop

PATHS = ["/health", "/unsubscribe", "/o/x.gif", "/c/x", "/nothing", "/docs", "/openapi.json", "/unsubscribe/../../etc"]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_keeps_its_address_to_itself(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["x-robots-tag"] == "noindex, nofollow"
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert "set-cookie" not in headers


@pytest.mark.parametrize("path", ["/unsubscribe", "/webhooks/ses", "/nothing", "/o/x.gif"])
def test_long_bodies_are_not_taken(client: TestClient, path: str) -> None:
    answer = client.post(path, content=b"x" * (MOST_BYTES + 1))
    assert answer.status_code in (404, 405, 413)
    streamed = client.post("/unsubscribe", content=(b"x" * 65_536 for _ in range(5)))
    assert streamed.status_code == 413


def test_a_body_of_just_the_length_is_taken(shop: Shop, client: TestClient) -> None:
    assert client.post(shop.way_out, content=b"x" * MOST_BYTES).status_code == 200


def test_a_wrong_method_is_told_the_right_ones(client: TestClient) -> None:
    answer = client.delete("/unsubscribe")
    assert answer.status_code == 405
    assert answer.headers["allow"]


def test_a_brands_words_are_text_on_its_pages() -> None:
    page = Pages(brand(name="Tom & Jerry's")).unsubscribe()
    html = bytes(page.body).decode()
    assert "Tom &amp; Jerry&#39;s" in html
    assert not re.search(r"<(script|img|link|iframe)|@import|url\(|https?://", html)


def test_nothing_personal_and_no_token_is_logged(
    shop: Shop, client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with client:
        client.post(shop.way_out, data={"List-Unsubscribe": "One-Click"})
        client.get(f"/o/{shop.token('open')}.gif")
        client.get("/unsubscribe?token=someone@example.com")
    ours = "\n".join(r.getMessage() for r in caplog.records if not r.name.startswith(("httpx", "httpcore")))
    assert shop.token("unsubscribe") not in ours
    assert shop.token("open") not in ours
    assert "u1@example.com" not in ours
    assert "someone@example.com" not in ours


def test_it_does_not_start_with_another_key(shop: Shop) -> None:
    """Every link that was ever sent would be refused, and nobody could leave."""
    with pytest.raises(SecretKeyChangedError):
        shop.client(secret_key="another key that the store does not know")


def test_while_the_store_is_held_people_are_asked_to_try_again_and_mail_programs_notice_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "BUSY_TIMEOUT_MS", 50)
    database = Database(f"sqlite:///{tmp_path / 'engagement.db'}")
    upgrade(database)
    shop = Shop(database, tmp_path)
    client = shop.client()
    with database.write():
        answer = client.post(shop.way_out, data={"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert "try again" in answer.text
        assert client.get(f"/o/{shop.token('open')}.gif").content == PIXEL
    assert shop.suppressed() == []
    assert client.post(shop.way_out).status_code == 200
    assert len(shop.suppressed()) == 1
    database.close()


def test_while_dynamodb_does_not_answer_it_is_the_same(
    shop: Shop, client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unavailable(*_: object) -> NoReturn:
        raise UnavailableError

    monkeypatch.setattr(SqlLedger, "get_emails", unavailable)
    answer = client.post(shop.way_out, data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert client.get(f"/o/{shop.token('open')}.gif").content == PIXEL
    assert "an open was not recorded" in caplog.text
    assert "while answering" not in caplog.text


def test_the_shipped_brand_is_served() -> None:
    assert load_brand(PROJECT_ROOT / "data" / "brand.yaml").name in bytes(Pages(brand()).unsubscribed().body).decode()
