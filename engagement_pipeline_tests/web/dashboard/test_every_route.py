"""What holds for every route of the dashboard, those that are added later among them."""

import re

import pytest
from fastapi.routing import APIRoute

from engagement_pipeline.web.dashboard.assembly import ROUTERS
from engagement_pipeline_tests.web.dashboard.conftest import Desk, Visitor

# Posts, so that what is looked for stands in no address.
LOOKING = frozenset({"/suppressions/search"})
OPEN = frozenset({"/static/{digest}/{name}"})
ROUTES = sorted(
    (method, route.path)
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute) and route.path not in OPEN
    for method in route.methods or ()
)
SHARP = ("'; DROP TABLE users; --", "' OR '1'='1", "%", "\x00", "../../etc/passwd", "<svg onload=alert(1)>", "9" * 400)


def address(path: str, value: str = "u00001") -> str:
    return re.sub(r"\{[^}]+\}", value, path)


def test_there_are_routes_to_try() -> None:
    assert len(ROUTES) > 20


def test_nobody_gets_in_without_a_session_and_nothing_changes_without_a_form_of_ours(
    desk: Desk, visitor: Visitor
) -> None:
    stranger, reader = desk.client(), desk.visitor("read")
    word = {"csrf_token": visitor.see("/users").split('name="csrf_token" value="')[1].split('"')[0]}
    elsewhere = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    for method, path in ROUTES:
        for cookie in ({}, {"Cookie": "engagement_session=forged"}):
            answer = stranger.request(method, address(path), headers=cookie)
            assert answer.status_code == 303, path
            assert answer.headers["location"].startswith("/login"), path
        if method == "POST":
            assert visitor.client.post(address(path)).status_code == 403, path
            assert visitor.client.post(address(path), data={"csrf_token": "0" * 64}).status_code == 403, path
            assert visitor.client.post(address(path), data=word, headers=elsewhere).status_code == 403, path
            huge = {"Content-Length": str(1024**3), "Content-Type": "application/x-www-form-urlencoded"}
            answer = visitor.client.post(address(path), content=(b"x" for _ in range(3)), headers=huge)
            assert answer.status_code == 413, path
            if path not in LOOKING:
                reader.send(address(path), "/users", 403)
    assert desk.audited() == []


@pytest.mark.parametrize("value", SHARP)
def test_what_is_typed_into_an_address_is_data(desk: Desk, visitor: Visitor, value: str) -> None:
    names = ("q", "band", "sort", "status", "campaign", "variant", "reason", "after", "look", "said")
    everything = dict.fromkeys(names, value)
    pages = ("/", "/users", "/user/u00001", "/emails", f"/email/{desk.email_ids[0]}", "/suppressions", "/system")
    for page in pages:
        answer = visitor.client.get(page, params=everything)
        assert answer.status_code == 200, page
        assert "<svg onload" not in answer.text
    for name in ("since", "until"):
        answer = visitor.client.get("/emails", params={name: value})
        assert answer.status_code == 422
        assert "<svg onload" not in answer.text
    assert desk.parts.store.get_user("u00001") is not None
