"""RFC 8058 and the page, in one process; `test_server.py` does the same over a real connection."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engagement_pipeline.delivery import suppressions, tokens
from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.users.addresses import address_key
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.sql_stores import sql_stores
from engagement_pipeline_tests.users.builders import SECRET, user
from engagement_pipeline_tests.web.conftest import Shop

SCANNERS = ["Mozilla/5.0 (compatible; Barracuda Sentinel (EE))", "curl/8.5.0", "Mozilla/5.0", "Mimecast URL Protect"]

SHARED_STORE = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def one_click(client: TestClient, path: str) -> int:
    return int(client.post(path, data={"List-Unsubscribe": "One-Click"}).status_code)


def multipart(client: TestClient, path: str) -> int:
    return int(client.post(path, files={"List-Unsubscribe": (None, "One-Click")}).status_code)


def by_the_page(client: TestClient, path: str) -> int:
    return int(client.post(path, data={"confirm": "page"}).status_code)


@pytest.mark.parametrize(
    ("post", "source"), [(one_click, "one_click"), (multipart, "one_click"), (by_the_page, "page")]
)
def test_a_post_suppresses_at_once(
    shop: Shop, client: TestClient, post: Callable[[TestClient, str], int], source: str
) -> None:
    assert post(client, shop.way_out) == 200
    assert shop.suppressed() == [(shop.row.address_key, "unsubscribed")]
    assert [(kind, told_by) for kind, told_by, _ in shop.events()] == [("unsubscribe", source)]
    assert shop.row.status == "sent"


def test_the_answer_is_a_page_without_cookie_or_redirect(shop: Shop, client: TestClient) -> None:
    answer = client.post(shop.way_out, data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert "location" not in answer.headers
    assert "You're unsubscribed" in answer.text.replace("&#39;", "'")


@pytest.mark.parametrize("agent", ["Mozilla/5.0 (Windows NT 10.0) Chrome/126.0.0.0 Safari/537.36", *SCANNERS])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_looking_changes_nothing(shop: Shop, client: TestClient, method: str, agent: str) -> None:
    before = shop.row
    answer = client.request(method, shop.way_out, headers={"User-Agent": agent}, follow_redirects=True)
    assert answer.status_code == 200
    assert ('<form method="post">' in answer.text) == (method == "GET")
    assert shop.suppressed() == []
    assert shop.events() == []
    assert shop.row == before


def test_twice_is_as_good_as_once(shop: Shop, client: TestClient) -> None:
    assert [one_click(client, shop.way_out), one_click(client, shop.way_out)] == [200, 200]
    shop.now += timedelta(days=1)
    assert by_the_page(client, shop.way_out) == 200
    assert len(shop.suppressed()) == 1
    assert len(shop.events()) == 1


def test_whoever_was_let_back_can_leave_again_by_the_same_link(shop: Shop, client: TestClient) -> None:
    one_click(client, shop.way_out)
    [listed] = sql_stores(shop.database).suppressions.find([shop.row.address_key]).values()
    assert sql_stores(shop.database).suppressions.remove(listed, NOW)
    shop.now += timedelta(days=30)
    one_click(client, shop.way_out)
    assert [reason for _, reason in shop.suppressed()] == ["unsubscribed"]
    assert len(shop.events()) == 2


def test_an_address_that_is_suppressed_for_another_reason_is_heard_too(shop: Shop, client: TestClient) -> None:
    with shop.database.write() as connection:
        suppressions.add(connection, shop.row.address_key, "person", "support", NOW)
    assert one_click(client, shop.way_out) == 200
    assert [kind for kind, _, _ in shop.events()] == ["unsubscribe"]


def test_a_deleted_user_can_leave(shop: Shop, client: TestClient) -> None:
    assert shop.store.delete_user("u1", NOW)
    assert one_click(client, shop.way_out) == 200
    assert len(shop.suppressed()) == 1


def test_whoever_has_another_address_by_now_leaves_with_both(shop: Shop, client: TestClient) -> None:
    shop.store.put_users([user("u1", email="new@example.com")], NOW)
    assert one_click(client, shop.way_out) == 200
    keys = {shop.row.address_key, address_key("new@example.com", SECRET)}
    assert set(shop.suppressed()) == {(key, "unsubscribed") for key in keys}


def test_an_old_email_is_still_good(shop: Shop, client: TestClient) -> None:
    shop.now += timedelta(days=3_650)
    assert one_click(client, shop.way_out) == 200
    assert len(shop.suppressed()) == 1


@pytest.mark.parametrize("status", ["sending", "unknown", "failed", "bounced", "complained", "skipped"])
def test_whatever_became_of_the_email(shop: Shop, client: TestClient, status: str) -> None:
    shop.set_row(status=status)
    assert one_click(client, shop.way_out) == 200
    assert len(shop.suppressed()) == 1
    assert shop.row.status == status


@pytest.mark.parametrize("body", [b"", b"nonsense", b"\xff\x00", b"List-Unsubscribe", b"--broken\r\n"])
def test_no_wording_of_the_request_keeps_a_person_subscribed(shop: Shop, client: TestClient, body: bytes) -> None:
    answer = client.post(shop.way_out, content=body, headers={"Content-Type": "multipart/form-data"})
    assert answer.status_code == 200
    assert len(shop.suppressed()) == 1


@SHARED_STORE
@given(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
        st.integers(0, 42).map(lambda cut: f"cut {cut}"),
        st.sampled_from(["open", "click"]),
        st.binary(min_size=32, max_size=32).map(lambda raw: raw.hex()),
    )
)
def test_nothing_but_our_own_token_for_this_purpose_counts(shop: Shop, client: TestClient, drawn: str) -> None:
    token = drawn
    if drawn in ("open", "click"):
        token = shop.token("open" if drawn == "open" else "click")
    elif drawn.startswith("cut "):
        token = shop.token("unsubscribe")[: int(drawn[4:])]
    for answer in (
        client.get("/unsubscribe", params={"token": token}),
        client.post("/unsubscribe", params={"token": token}, data={"List-Unsubscribe": "One-Click"}),
    ):
        assert answer.status_code == 404
        assert "This link does not work" in answer.text
    assert shop.suppressed() == []
    assert shop.events() == []


def test_a_genuine_token_for_an_email_that_we_do_not_know_is_not_confirmed(shop: Shop, client: TestClient) -> None:
    """Saying that somebody is unsubscribed who is not would be worse than an error."""
    with shop.database.write() as connection:
        connection.execute(sa.delete(emails))
    assert one_click(client, f"/unsubscribe?token={tokens.issue(shop.email_id, 'unsubscribe', SECRET)}") == 404
    assert shop.events() == []
