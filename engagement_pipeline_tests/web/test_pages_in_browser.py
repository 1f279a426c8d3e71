"""The unsubscribe page as a person meets it: a real browser at the real server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request

from engagement_pipeline.copywriting.colours import READABLE_CONTRAST, contrast
from engagement_pipeline.migrations import upgrade
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.copywriting.samples import brand
from engagement_pipeline_tests.copywriting.test_render_in_browser import TEXTS, as_css, as_hex
from engagement_pipeline_tests.web.conftest import Shop
from engagement_pipeline_tests.web.server import Server, running

pytestmark = [pytest.mark.integration, pytest.mark.browser]

BRAND = brand()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    database = Database(f"sqlite:///{tmp_path / 'engagement.db'}")
    upgrade(database)
    yield Shop(database, tmp_path)
    database.close()


@pytest.fixture
def server(shop: Shop, tmp_path: Path) -> Iterator[Server]:
    with running(shop.settings.database_url, tmp_path) as server:
        yield server


class Visit:
    """A page, what it asked for, and what the browser complained about."""

    def __init__(self, browser: Browser, url: str, width: int = 390, scheme: str = "light") -> None:
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page: Page = browser.new_page(
            viewport={"width": width, "height": 844}, color_scheme="dark" if scheme == "dark" else "light"
        )
        self.page.on("request", self._on_request)
        self.page.on("console", self._on_console)
        self.page.goto(url)

    def _on_request(self, request: Request) -> None:
        self.asked.append(request.url)

    def _on_console(self, message: ConsoleMessage) -> None:
        self.complaints.append(message.text)


def test_a_person_presses_the_button_and_is_unsubscribed(browser: Browser, shop: Shop, server: Server) -> None:
    visit = Visit(browser, server.url + shop.way_out)
    assert visit.page.get_by_role("button").count() == 1
    assert shop.suppressed() == []
    visit.page.get_by_role("button", name="Unsubscribe").click()
    visit.page.get_by_role("heading", name="You're unsubscribed").wait_for()
    assert [reason for _, reason in shop.suppressed()] == ["unsubscribed"]
    assert [source for _, source, _ in shop.events()] == ["page"]
    assert visit.page.context.cookies() == []
    assert visit.complaints == []
    assert {url.split("?")[0] for url in visit.asked} <= {f"{server.url}/unsubscribe"}
    visit.page.close()


def test_it_works_with_the_keyboard_alone(browser: Browser, shop: Shop, server: Server) -> None:
    visit = Visit(browser, server.url + shop.way_out)
    visit.page.keyboard.press("Tab")
    visit.page.keyboard.press("Enter")
    visit.page.get_by_role("heading", name="You're unsubscribed").wait_for()
    visit.page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_the_page_fits_and_is_readable_in_the_brands_colours(
    browser: Browser, shop: Shop, server: Server, width: int, scheme: str
) -> None:
    visit = Visit(browser, server.url + shop.way_out, width, scheme)
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    box = visit.page.get_by_role("button").bounding_box()
    assert box is not None
    assert box["height"] >= 44
    palette = BRAND.dark if scheme == "dark" else BRAND.light
    # Only if the style is let through by the policy's hash.
    assert visit.page.evaluate("getComputedStyle(document.body).backgroundColor") == as_css(palette.background)
    for words, colour, behind, size in visit.page.evaluate(TEXTS):
        assert size >= (16 if words == "Unsubscribe" else 13), words
        assert contrast(as_hex(colour), as_hex(behind)) >= READABLE_CONTRAST, words
    visit.page.close()


def test_a_broken_link_says_so_and_helps(browser: Browser, shop: Shop, server: Server) -> None:
    visit = Visit(browser, server.url + shop.way_out[:-1])
    assert visit.page.get_by_role("heading", name="This link does not work").is_visible()
    assert visit.page.get_by_role("button").count() == 0
    visit.page.close()
