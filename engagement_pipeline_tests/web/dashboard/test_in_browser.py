"""The dashboard as people meet it: readable, usable by keyboard, quiet, and a marketer's day from end to end."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from playwright.sync_api import Browser, Route, expect

from engagement_pipeline.delivery import suppressions
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform import clock
from engagement_pipeline.users.addresses import address_key
from engagement_pipeline.web.dashboard.assembly import ROUTERS
from engagement_pipeline_tests.delivery.parts import SECRET
from engagement_pipeline_tests.web.dashboard.browsing import Person, Scheme
from engagement_pipeline_tests.web.dashboard.conftest import Desk, empty_store
from engagement_pipeline_tests.web.dashboard.test_overview import publish
from engagement_pipeline_tests.web.server import Server, running

pytestmark = [pytest.mark.integration, pytest.mark.browser]

KEY = address_key("complained@example.com", SECRET)
PAGES = (
    "/",
    "/users",
    "/users?q=nobody",
    "/users/new",
    "/user/u00001",
    "/users/edit/u00001",
    "/emails",
    "/email/{sent}",
    "/email/{sent}?look=phone",
    "/email/{sent}?look=text",
    "/email/{unknown}",
    "/approvals",
    "/campaigns",
    "/suppressions",
    f"/suppressions/remove/{KEY}",
    "/system",
)
# What is no page of its own: files, and the e-mail within its frame.
NO_PAGES = ("/users/export/", "/suppressions/export", "/emails/preview/", "/static/")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("desk")


@pytest.fixture(scope="module")
def desk(folder: Path) -> Iterator[Desk]:
    database = empty_store(folder)
    desk = Desk(database, folder, clock.now())
    publish(desk)
    with database.write() as connection:
        suppressions.add(connection, KEY, "complaint", "ses", desk.now)
    yield desk
    database.close()


@pytest.fixture(scope="module")
def server(desk: Desk, folder: Path) -> Iterator[Server]:
    settings = {"ENGAGEMENT_SECRET_KEY": SECRET, "ENGAGEMENT_GATE__HOLD_OUT_SHARE": "0"}
    with running(desk.settings.database_url, folder, **settings) as server:
        yield server


@pytest.fixture(scope="module")
def token(desk: Desk) -> str:
    return desk.token("marta")


def test_every_page_is_looked_at() -> None:
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    addresses = [page.partition("?")[0] for page in PAGES]
    for route in routes:
        if "GET" in (route.methods or ()) and not route.path.startswith(NO_PAGES):
            assert any(route.path_regex.match(address) for address in addresses), route.path


# What a page is laid out like depends on the width alone, its colours on the scheme alone.
@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark")])
def test_every_page_is_accessible_fits_and_keeps_to_itself(
    browser: Browser, desk: Desk, server: Server, token: str, width: int, scheme: Scheme
) -> None:
    person = Person(browser, server.url, width, scheme)
    person.go("/login")
    assert person.findings() == []
    person.log_in(token)
    for path in PAGES:
        person.go(path.format(sent=desk.email_ids[0], unknown=desk.email_ids[1]))
        assert person.findings() == [], path
        assert person.overflow() <= 0, path
    assert person.complaints == []
    assert person.strangers() == []
    person.close()


def test_times_are_in_the_viewers_zone(browser: Browser, desk: Desk, server: Server, token: str) -> None:
    person = Person(browser, server.url)
    person.log_in(token)
    time = person.go(f"/email/{desk.email_ids[0]}").locator("time").first
    shown, moment = time.inner_text(), time.get_attribute("datetime")
    expected = person.page.evaluate(
        "moment => new Intl.DateTimeFormat('en-US', {dateStyle: 'medium', timeStyle: 'short',"
        " timeZone: 'America/New_York'}).format(new Date(moment))",
        moment,
    )
    assert shown == expected
    person.close()


def test_searching_shows_whom_it_finds_while_typing(browser: Browser, server: Server, token: str) -> None:
    person = Person(browser, server.url)
    person.log_in(token)
    page = person.go("/users")
    expect(page.get_by_role("link", name="Grace Hopper")).to_be_visible()
    held: list[Route] = []
    page.route("**/users?q=*", lambda route: held.append(route))
    page.get_by_label("Name, address or id").press_sequentially("lovel", delay=30)
    expect(page.locator("#busy")).to_be_visible()
    expect(page.get_by_role("link", name="Grace Hopper")).to_be_visible()
    held.pop().continue_()
    page.unroute("**/users?q=*")
    expect(page.get_by_role("link", name="Grace Hopper")).to_have_count(0)
    expect(page.locator("#busy")).to_be_hidden()
    expect(page.get_by_role("link", name="Ada Lovelace")).to_be_visible()
    expect(page).to_have_url(re.compile(r"q=lovel"))
    # No page is kept for going back: pages hold names and addresses.
    kept = page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})")
    assert "Lovelace" not in kept
    page.go_back()
    expect(page.get_by_role("link", name="Grace Hopper")).to_be_visible()
    assert person.complaints == []
    person.close()


def test_it_works_with_the_keyboard_alone(browser: Browser, server: Server, token: str) -> None:
    person = Person(browser, server.url)
    person.log_in(token)
    page = person.go("/users?q=lovel")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Ada Lovelace":
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert float(outline.removesuffix("px")) >= 2
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Ada Lovelace", level=1).wait_for()
    person.close()


def test_it_works_without_scripts(browser: Browser, server: Server, token: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(server.url + "/login")
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Log in").click()
    page.goto(server.url + "/users")
    page.get_by_label("Name, address or id").fill("lovel")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("link", name="Ada Lovelace").click()
    assert "UTC" in page.locator("time").first.inner_text()
    context.close()


def test_a_wrong_token_is_said_to_be_wrong(browser: Browser, server: Server, token: str) -> None:
    person = Person(browser, server.url, 390)
    page = person.go("/users?q=ada")
    page.get_by_label("Token").fill("egp_nonsense")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("not one of ours")
    assert person.findings() == []
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(server.url + "/users?q=ada")
    page.get_by_role("button", name="Log out").click()
    page.goto(server.url + "/users")
    page.get_by_role("heading", name="Log in").wait_for()
    person.close()


@pytest.mark.parametrize(("width", "who"), [(1280, "Grace Hopper"), (390, "Zoë Ångström")])
def test_a_marketers_day(tmp_path: Path, browser: Browser, width: int, who: str) -> None:
    database = empty_store(tmp_path)
    desk = Desk(database, tmp_path, clock.now())
    publish(desk)
    desk.make_everyone_writable()
    # At any hour of the day that this test may run at.
    hours = {"ENGAGEMENT_GATE__SENDING_HOUR_FROM": "0", "ENGAGEMENT_GATE__SENDING_HOUR_TO": "24"}
    settings = {"ENGAGEMENT_SECRET_KEY": SECRET, "ENGAGEMENT_GATE__HOLD_OUT_SHARE": "0", **hours}
    with running(desk.settings.database_url, tmp_path, **settings) as server:
        person = Person(browser, server.url, width)
        page = person.page
        person.log_in(desk.token("marta"))
        expect(page.get_by_text("335", exact=True).first).to_be_visible()

        page.get_by_role("link", name="Critical").click()
        page.get_by_role("link", name=who).click()
        # One day more where midnight has passed since.
        expect(page.get_by_text(re.compile("The last order was 9[01] days ago"))).to_be_visible()

        page.get_by_label("Yes, send an e-mail to this person").check()
        page.get_by_role("button", name="Write now").click()
        expect(page.get_by_role("status").first).to_contain_text("waits for the sender")
        page.get_by_role("link", name="on its way").click()
        expect(page.get_by_text("Asked for by")).to_be_visible()

        Pipeline(desk.settings_for_sending()).send()
        page.reload()
        expect(page.get_by_text("Handed over").first).to_be_visible()
        frame = page.frame_locator("iframe")
        expect(frame.get_by_text(who.split()[0]).first).to_be_visible()
        way_out = frame.get_by_role("link", name=re.compile("nsubscribe")).first.get_attribute("href")
        assert way_out is not None
        assert person.complaints == []
        assert person.strangers() == []

        recipient = Person(browser, server.url, width)
        recipient.go("/unsubscribe?" + way_out.split("?")[1])
        recipient.page.get_by_role("button", name="Unsubscribe").click()
        recipient.page.get_by_role("heading", name="You're unsubscribed").wait_for()
        recipient.close()

        page.reload()
        expect(page.get_by_role("listitem").filter(has_text="Unsubscribed")).to_be_visible()
        page.get_by_role("link", name="Suppressions").click()
        expect(page.get_by_role("row").filter(has_text="Unsubscribed")).to_have_count(2)
        person.go("/system")
        expect(page.get_by_text("email.requested")).to_be_visible()
        assert person.complaints == []
        person.close()
    database.close()


def test_a_form_that_is_under_way_says_so_and_is_sent_once(browser: Browser, server: Server, token: str) -> None:
    person = Person(browser, server.url)
    person.log_in(token)
    page = person.go("/suppressions")
    sent: list[str] = []

    def hold(route: Route) -> None:
        sent.append(route.request.url)
        # The browser stays on the page, as it does while it waits for an answer.
        route.fulfill(status=204)

    page.route("**/suppressions/add", hold)
    page.get_by_label("Address", exact=True).fill("somebody@example.com")
    button = page.get_by_role("button", name="Never write to it")
    button.click()
    expect(page.locator("form[aria-busy]")).to_have_count(1)
    expect(button.locator(".busy")).to_be_visible()
    button.click(force=True)
    assert len(sent) == 1
    person.close()
