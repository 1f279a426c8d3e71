"""The e-mail as a real browser shows it: fits a phone, is readable in light and dark."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from engagement_pipeline.copywriting.brand import Palette
from engagement_pipeline.copywriting.render import Links, Recipient, Renderer
from engagement_pipeline_tests.copywriting.samples import brand, copy

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.integration,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]

BRAND = brand()
HTML = (
    Renderer(BRAND)
    .render(copy(), Recipient("Bartholomew"), Links("https://a.example.com", "https://a.example.com/unsubscribe"))
    .html
)
COLOURS = """() => Object.fromEntries([
    ["background", getComputedStyle(document.querySelector(".page")).backgroundColor],
    ["surface", getComputedStyle(document.querySelector(".letter")).backgroundColor],
    ["text", getComputedStyle(document.querySelector(".words div")).color],
    ["accent", getComputedStyle(document.querySelector(".brand div")).color],
    ["muted", getComputedStyle(document.querySelector(".small a")).color],
    ["button", getComputedStyle(document.querySelector(".action a")).backgroundColor],
    ["button_text", getComputedStyle(document.querySelector(".action a")).color],
])"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def as_css(colour: str) -> str:
    return f"rgb({int(colour[1:3], 16)}, {int(colour[3:5], 16)}, {int(colour[5:7], 16)})"


@pytest.mark.parametrize(("scheme", "palette"), [("light", BRAND.light), ("dark", BRAND.dark)])
def test_each_scheme_shows_the_brands_colours(browser: Browser, scheme: str, palette: Palette) -> None:
    page = browser.new_page(color_scheme="dark" if scheme == "dark" else "light")
    page.set_content(HTML)
    assert page.evaluate(COLOURS) == {name: as_css(colour) for name, colour in palette.model_dump().items()}
    page.close()


@pytest.mark.parametrize("width", [320, 390, 1000])
def test_it_fits_the_width_and_the_button_fits_a_thumb(browser: Browser, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_content(HTML)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    box = page.locator(".action a").bounding_box()
    assert box is not None
    assert box["height"] >= 44
    letter = page.locator(".letter").bounding_box()
    assert letter is not None
    assert letter["width"] <= 600
    assert not page.get_by_text(copy().preheader).is_visible()
    page.close()
