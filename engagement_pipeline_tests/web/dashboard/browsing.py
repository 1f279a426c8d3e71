"""A person at a screen: a real browser at the real server, whose complaints and requests are heard."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

Scheme = Literal["light", "dark"]

_AXE = Path(__file__).parent / "axe" / "axe.min.js"
_LOUD = frozenset({"error", "warning"})


@dataclass
class Person:
    """Somebody with one window.

    Attributes:
        browser: theirs.
        url: of the server.
        width: of the window.
        scheme: light or dark.
    """

    browser: Browser
    url: str
    width: int = 1280
    scheme: Scheme = "light"
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    context: BrowserContext = field(init=False)
    page: Page = field(init=False)

    def __post_init__(self) -> None:
        viewport = {"width": self.width, "height": 900 if self.width > 600 else 844}
        self.context = self.browser.new_context(
            viewport={"width": viewport["width"], "height": viewport["height"]},
            color_scheme=self.scheme,
            timezone_id="America/New_York",
            locale="en-US",
        )
        self.page = self.context.new_page()
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._on_request)

    def log_in(self, token: str) -> None:
        self.go("/login")
        self.page.get_by_label("Token").fill(token)
        self.page.get_by_role("button", name="Log in").click()
        self.page.get_by_role("heading", name="Overview", exact=True).wait_for()

    def go(self, path: str) -> Page:
        self.page.goto(self.url + path)
        return self.page

    def findings(self) -> list[str]:
        """What axe-core finds on the page as it is; it must have looked."""
        self.page.evaluate(_AXE.read_text(encoding="utf-8"))
        result = self.page.evaluate("axe.run(document, {iframes: false})")
        assert len(result["passes"]) > 10
        return [f"{each['id']} ({each['impact']}): {each['nodes'][0]['html'][:200]}" for each in result["violations"]]

    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        wide: int = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        return wide

    def strangers(self) -> list[str]:
        """What was asked of another host."""
        return [url for url in self.asked if not url.startswith((self.url, "data:", "about:"))]

    def close(self) -> None:
        self.context.close()

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in _LOUD:
            self.complaints.append(f"{message.type}: {message.text}")

    def _on_request(self, request: Request) -> None:
        self.asked.append(request.url)
