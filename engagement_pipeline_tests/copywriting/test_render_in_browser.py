"""The e-mail as a real browser shows it, out of the file that a mail program would open."""

from email import policy
from email.parser import BytesParser
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from engagement_pipeline.copywriting.brand import Palette
from engagement_pipeline.copywriting.colours import READABLE_CONTRAST, contrast
from engagement_pipeline.copywriting.render import Recipient, Renderer
from engagement_pipeline.copywriting.template import TemplateCopywriter
from engagement_pipeline.delivery.entries import email_id_for
from engagement_pipeline.delivery.message import Message
from engagement_pipeline.delivery.outbox import OutboxMailer
from engagement_pipeline.delivery.tracking import links_for
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.copywriting.samples import brand, brief

pytestmark = [pytest.mark.integration, pytest.mark.browser]

BRAND = brand()
EMAIL_ID = email_id_for("u1", "win-back", 1)
LINKS = links_for(EMAIL_ID, BRAND.site_url, "https://mail.example.com", "a-secret-key-for-tests", tracking=True)

COLOURS = """() => Object.fromEntries([
    ["background", getComputedStyle(document.querySelector(".page")).backgroundColor],
    ["surface", getComputedStyle(document.querySelector(".letter")).backgroundColor],
    ["text", getComputedStyle(document.querySelector(".words div")).color],
    ["accent", getComputedStyle(document.querySelector(".brand div")).color],
    ["muted", getComputedStyle(document.querySelector(".small a")).color],
    ["button", getComputedStyle(document.querySelector(".action a")).backgroundColor],
    ["button_text", getComputedStyle(document.querySelector(".action a")).color],
])"""

# Every piece of text that shows, with its colour and the first colour that is not transparent behind it.
TEXTS = """() => {
    const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement, words = walker.currentNode.textContent.trim();
        if (!words || !element.checkVisibility()) continue;
        let behind = element;
        while (getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
        const style = getComputedStyle(element);
        found.push([words, style.color, getComputedStyle(behind).backgroundColor, parseFloat(style.fontSize)]);
    }
    return found;
}"""


@pytest.fixture(scope="module")
def email_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The HTML part of an .eml file as the outbox writes it."""
    folder = tmp_path_factory.mktemp("outbox")
    writer = TemplateCopywriter(BRAND)
    (text,) = writer.write([brief(variant=writer.variants[0], categories=("denim", "tops"))])
    email = Renderer(BRAND).render(text.copy, Recipient("Bartholomew"), LINKS)
    message = Message(
        EMAIL_ID, BRAND.from_address, "b@example.com", email.subject, email.html, email.text, LINKS.unsubscribe, NOW
    )
    OutboxMailer(folder).send(message)
    read = BytesParser(policy=policy.default).parsebytes((folder / f"{EMAIL_ID}.eml").read_bytes())
    part = read.get_body(("html",))
    assert part is not None
    path = folder / "email.html"
    path.write_text(part.get_content(), encoding="utf-8")
    return path


def opened(browser: Browser, path: Path, width: int = 390, scheme: str = "light") -> Page:
    page = browser.new_page(
        viewport={"width": width, "height": 844}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page.goto(path.as_uri())
    return page


def as_css(colour: str) -> str:
    return f"rgb({int(colour[1:3], 16)}, {int(colour[3:5], 16)}, {int(colour[5:7], 16)})"


def as_hex(colour: str) -> str:
    red, green, blue = (int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(","))
    return f"#{red:02x}{green:02x}{blue:02x}"


@pytest.mark.parametrize(("scheme", "palette"), [("light", BRAND.light), ("dark", BRAND.dark)])
def test_each_scheme_shows_the_brands_colours(
    browser: Browser, email_file: Path, scheme: str, palette: Palette
) -> None:
    page = opened(browser, email_file, scheme=scheme)
    assert page.evaluate(COLOURS) == {name: as_css(colour) for name, colour in palette.model_dump().items()}
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_is_readable(browser: Browser, email_file: Path, scheme: str) -> None:
    page = opened(browser, email_file, scheme=scheme)
    texts = page.evaluate(TEXTS)
    assert len(texts) > 8
    for words, colour, behind, size in texts:
        assert contrast(as_hex(colour), as_hex(behind)) >= READABLE_CONTRAST, words
        assert size >= 13, words
    page.close()


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_it_fits_the_width_and_its_links_fit_a_thumb(browser: Browser, email_file: Path, width: int) -> None:
    page = opened(browser, email_file, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for link in (".action a", ".small a"):
        box = page.locator(link).bounding_box()
        assert box is not None
        # https://www.w3.org/TR/WCAG22/#target-size-enhanced
        assert box["height"] >= 44
        assert box["width"] >= 44
    letter = page.locator(".letter").bounding_box()
    assert letter is not None
    assert letter["width"] <= 600
    page.close()


def test_it_has_one_button_and_one_way_out_both_in_sight(browser: Browser, email_file: Path) -> None:
    page = opened(browser, email_file)
    links = page.locator("a").all()
    assert [link.get_attribute("href") for link in links] == [LINKS.call_to_action, LINKS.unsubscribe]
    assert all(link.is_visible() for link in links)
    assert page.get_by_role("link", name="Unsubscribe").count() == 1
    for line in BRAND.postal_address:
        assert page.get_by_text(line).is_visible()
    page.close()


def test_the_preheader_and_the_pixel_take_no_room(browser: Browser, email_file: Path) -> None:
    page = opened(browser, email_file)
    hidden = page.locator("body > div").first
    assert not hidden.is_visible()
    image = page.locator("img")
    assert image.get_attribute("src") == LINKS.pixel
    with_pixel = page.evaluate("document.body.scrollHeight")
    page.evaluate("document.querySelector('img').remove()")
    assert with_pixel - page.evaluate("document.body.scrollHeight") <= 1
    page.close()
