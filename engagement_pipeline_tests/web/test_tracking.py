"""The pixel and the redirect, in one process."""

from datetime import timedelta
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engagement_pipeline.web.tracking import PIXEL
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.test_tracking import BROWSERS, MACHINES, MAIL_PROGRAMS
from engagement_pipeline_tests.web.conftest import Shop

SHOP = "https://stitchfix.example.com"
PERSON = {"User-Agent": BROWSERS["chrome"]}

SHARED_STORE = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def click_path(shop: Shop) -> str:
    return f"/c/{shop.token('click', SHOP)}?to={quote(SHOP, safe='')}"


def pixel_path(shop: Shop) -> str:
    return f"/o/{shop.token('open')}.gif"


def kinds(shop: Shop) -> list[str]:
    return [kind for kind, _, _ in shop.events()]


def test_an_open_answers_with_a_pixel_and_is_counted(shop: Shop, client: TestClient) -> None:
    answer = client.get(pixel_path(shop), headers=PERSON)
    assert answer.content == PIXEL
    assert len(PIXEL) == 43
    assert answer.headers["content-type"] == "image/gif"
    assert answer.headers["cache-control"] == "no-store"
    assert shop.events() == [("open", "tracking", {"method": "GET", "user_agent": BROWSERS["chrome"]})]
    assert shop.row.status == "opened"


def test_a_click_leads_to_the_shop_and_is_counted(shop: Shop, client: TestClient) -> None:
    answer = client.get(click_path(shop), headers=PERSON)
    assert (answer.status_code, answer.headers["location"]) == (302, SHOP)
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in answer.headers
    assert shop.events() == [("click", "tracking", {"method": "GET", "user_agent": BROWSERS["chrome"]})]
    assert shop.row.status == "clicked"


@pytest.mark.parametrize("agent", MACHINES.values(), ids=MACHINES)
def test_machines_get_the_same_answer_and_are_not_counted_as_people(
    shop: Shop, client: TestClient, agent: str | None
) -> None:
    if agent is None:
        del client.headers["user-agent"]
    headers = {} if agent is None else {"User-Agent": agent}
    assert client.get(pixel_path(shop), headers=headers).content == PIXEL
    assert client.get(click_path(shop), headers=headers).headers["location"] == SHOP
    assert sorted(kinds(shop)) == ["machine_click", "machine_open"]
    assert shop.row.status == "sent"


@pytest.mark.parametrize("agent", MAIL_PROGRAMS.values(), ids=MAIL_PROGRAMS)
def test_a_mail_program_opens(shop: Shop, client: TestClient, agent: str) -> None:
    client.get(pixel_path(shop), headers={"User-Agent": agent})
    assert kinds(shop) == ["open"]


def test_a_head_request_is_a_machines(shop: Shop, client: TestClient) -> None:
    assert client.head(click_path(shop), headers=PERSON).status_code == 302
    assert client.head(pixel_path(shop), headers=PERSON).status_code == 200
    assert sorted(kinds(shop)) == ["machine_click", "machine_open"]


@pytest.mark.parametrize("header", ["Sec-Purpose", "Purpose", "X-Moz"])
def test_looking_ahead_is_a_machines(shop: Shop, client: TestClient, header: str) -> None:
    client.get(click_path(shop), headers={**PERSON, header: "prefetch;prerender"})
    assert kinds(shop) == ["machine_click"]


@pytest.mark.parametrize("status", ["sent", "sending"])
def test_within_seconds_of_sending_it_is_a_machine_also_before_the_sender_has_noted_it(
    shop: Shop, client: TestClient, status: str
) -> None:
    sent_at = NOW if status == "sent" else None
    shop.set_row(status=status, sent_at=sent_at, updated_at=NOW)
    shop.now = NOW + timedelta(seconds=5)
    client.get(click_path(shop), headers=PERSON)
    shop.now = NOW + timedelta(seconds=15)
    client.get(click_path(shop), headers=PERSON)
    assert kinds(shop) == ["machine_click", "click"]


def test_repeated_opens_are_one_in_an_hour(shop: Shop, client: TestClient) -> None:
    for minutes in (0, 1, 20):
        shop.now = NOW + timedelta(minutes=minutes)
        client.get(pixel_path(shop), headers=PERSON)
    shop.now = NOW + timedelta(hours=1)
    client.get(pixel_path(shop), headers=PERSON)
    assert kinds(shop) == ["open", "open"]


def test_tracking_off_records_nothing_and_still_leads_on(shop: Shop) -> None:
    client = shop.client(delivery={"tracking": False})
    assert client.get(pixel_path(shop), headers=PERSON).content == PIXEL
    assert client.get(click_path(shop), headers=PERSON).headers["location"] == SHOP
    assert shop.events() == []
    assert shop.row.status == "sent"


def test_a_store_that_does_not_answer_is_not_the_readers_business(
    shop: Shop, client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with shop.database.write() as connection:
        connection.execute(sa.text("DROP TABLE email_events"))
    assert client.get(pixel_path(shop), headers=PERSON).content == PIXEL
    assert client.get(click_path(shop), headers=PERSON).headers["location"] == SHOP
    assert "was not recorded" in caplog.text
    assert shop.token("open") not in caplog.text


@SHARED_STORE
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=60))
def test_any_pixel_is_a_pixel(shop: Shop, client: TestClient, name: str) -> None:
    answer = client.get(f"/o/{quote(name, safe='')}.gif", headers=PERSON)
    assert (answer.status_code, answer.content) == (200, PIXEL)
    assert shop.events() == []


@SHARED_STORE
@given(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
        st.sampled_from(
            [
                "https://evil.example",
                "//evil.example",
                "/\\evil.example",
                "javascript:alert(1)",
                SHOP + ".evil.example",
                SHOP + "@evil.example",
                SHOP + "/",
                SHOP + "\r\nSet-Cookie: a=b",
                "",
            ]
        ),
    )
)
def test_no_redirect_to_where_we_did_not_sign(shop: Shop, client: TestClient, target: str) -> None:
    if target == SHOP:
        return
    for token in (shop.token("click", SHOP), shop.token("open"), shop.token("unsubscribe"), "x"):
        answer = client.get(f"/c/{token}", params={"to": target}, headers=PERSON)
        assert answer.status_code == 404
        assert "location" not in answer.headers
    assert shop.events() == []


def test_the_last_of_several_targets_does_not_smuggle_one_in(shop: Shop, client: TestClient) -> None:
    token = shop.token("click", SHOP)
    good, evil = quote(SHOP, safe=""), quote("https://evil.example", safe="")
    for query in (f"to={good}&to={evil}", f"to={evil}&to={good}"):
        assert client.get(f"/c/{token}?{query}").headers.get("location") in (None, SHOP)


def test_a_genuine_token_for_an_unknown_email_leads_on_and_is_not_counted(shop: Shop, client: TestClient) -> None:
    with shop.database.write() as connection:
        connection.execute(sa.text("DELETE FROM emails"))
    assert client.get(click_path(shop), headers=PERSON).headers["location"] == SHOP
    assert shop.events() == []
