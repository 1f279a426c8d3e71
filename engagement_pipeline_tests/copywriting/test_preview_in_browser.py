"""The preview's page in a real browser: all of it shows, at any width, and nothing of it runs or asks for anything."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar, Literal

import pytest
from playwright.sync_api import Browser, Page

from engagement_pipeline.copywriting.facts import facts_of
from engagement_pipeline.copywriting.openai.prompt import Prompt
from engagement_pipeline.copywriting.preview import Preview, preview_page
from engagement_pipeline.copywriting.render import Links, Recipient, Renderer
from engagement_pipeline_tests.copywriting.samples import brand, brief, copy

pytestmark = [pytest.mark.integration, pytest.mark.browser]

BRAND = brand()
HOSTILE = '</pre></iframe><script>document.title = "run"</script><img src="x.gif" onerror="alert(1)">'


class Listener(BaseHTTPRequestHandler):
    """Notes what is asked for."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """A server that links and images lead to; what reaches it is in `Listener.asked`."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Listener) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def preview(site: str, text: str = "u-1") -> Preview:
    """A preview with words of strangers wherever there may be some."""
    links = Links(f"{site}/shop", f"{site}/unsubscribe", f"{site}/pixel")
    known = brief(categories=("dresses", "knitwear"))
    return Preview(
        user_id=text,
        campaign="win-back",
        edition="3f42d8534419",
        variant="note",
        origin="Written for this preview.",
        may_go=False,
        verdict=("Nobody has approved it yet.", text),
        score=("Score 37.3 of 100.",),
        email=Renderer(BRAND).render(copy(), Recipient("Zoë"), links),
        brief=known,
        facts=facts_of(known, BRAND),
        prompt=[*Prompt(BRAND).messages(known, 0), {"role": "user", "content": text}],
        prompt_note="As it is sent, word for word.",
        copywriter="openai",
        record={"model": text, "input_tokens": 1512, "cost_usd": 0.00082, "failures": []},
        cost="This preview cost $0.00082.",
    )


def opened(
    browser: Browser, folder: Path, shown: Preview, width: int = 1280, scheme: Literal["light", "dark"] = "light"
) -> Page:
    Listener.asked.clear()
    file = folder / "page.html"
    file.write_text(preview_page(shown), encoding="utf-8")
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.on("dialog", lambda dialog: Listener.asked.append(dialog.message))
    page.goto(file.as_uri())
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390, 320])
def test_all_of_it_shows_at_any_width(
    browser: Browser, tmp_path: Path, site: str, width: int, scheme: Literal["light", "dark"]
) -> None:
    page = opened(browser, tmp_path, preview(site), width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.title() == "What are you in the mood for, Zoë? · preview"
    assert page.get_by_text("It would not be sent now").is_visible()
    assert page.get_by_text("$0.00082", exact=True).is_visible()
    for place in (0, 1):
        frame = page.frame_locator("iframe").nth(place)
        assert frame.get_by_text("Hello Zoë,").is_visible()
        assert frame.get_by_role("link", name="Take a look around").is_visible()
    page.get_by_text("As plain text").click()
    assert page.get_by_text("You're receiving this because").first.is_visible()
    page.close()


def test_the_phone_shows_the_email_as_narrow_as_a_phone(browser: Browser, tmp_path: Path, site: str) -> None:
    page = opened(browser, tmp_path, preview(site))
    widths = [frame.evaluate("innerWidth") for frame in page.frames[1:]]
    assert widths[0] >= 600
    assert widths[1] == 375
    assert [frame.evaluate("document.documentElement.scrollWidth <= innerWidth") for frame in page.frames[1:]] == [
        True,
        True,
    ]
    page.close()


def test_nothing_runs_loads_or_leads_away(browser: Browser, tmp_path: Path, site: str) -> None:
    page = opened(browser, tmp_path, preview(site, HOSTILE))
    assert len(page.frames) == 3
    assert page.title() != "run"
    assert page.get_by_text(HOSTILE).first.is_visible()
    for link in ("Unsubscribe", "Take a look around"):
        page.frame_locator("iframe").first.get_by_role("link", name=link).click()
    page.wait_for_timeout(300)
    assert page.url.startswith("file:")
    assert len(page.context.pages) == 1
    assert Listener.asked == []
    page.close()
