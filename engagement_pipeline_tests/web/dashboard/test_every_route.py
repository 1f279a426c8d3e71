"""What holds for every route of the dashboard, those that are added later among them."""

import re

import pytest
from fastapi.routing import APIRoute

from engagement_pipeline.web.dashboard.assembly import ROUTERS
from engagement_pipeline_tests.web.dashboard.conftest import Desk, Visitor

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


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_nobody_gets_in_without_a_session_and_nothing_changes_without_the_forms_word(
    desk: Desk, visitor: Visitor, method: str, path: str
) -> None:
    stranger = desk.client()
    answer = stranger.request(method, address(path))
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login")
    answer = stranger.request(method, address(path), headers={"Cookie": "engagement_session=forged"})
    assert answer.status_code == 303
    if method == "POST":
        assert visitor.client.post(address(path)).status_code == 403
        word = {"csrf_token": visitor.see("/users").split('name="csrf_token" value="')[1].split('"')[0]}
        elsewhere = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        assert visitor.client.post(address(path), data=word, headers=elsewhere).status_code == 403
    assert desk.audited() == []


@pytest.mark.parametrize("value", SHARP)
def test_what_is_typed_into_an_address_is_data(desk: Desk, visitor: Visitor, value: str) -> None:
    names = ("q", "band", "sort", "status", "campaign", "variant", "since", "until", "reason", "after", "look", "said")
    for path in ("/", "/users", "/user/u00001", "/emails", f"/email/{desk.email_ids[0]}", "/suppressions", "/system"):
        for name in names:
            answer = visitor.client.get(path, params={name: value})
            assert answer.status_code in (200, 422), (path, name)
            assert "<svg onload" not in answer.text
    assert desk.parts.store.get_user("u00001") is not None
