import re
import time
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_pipeline.copywriting.brief import LAST_NUMBER, SILENCES, make_brief
from engagement_pipeline.copywriting.render import Links, Recipient, RenderedEmail, Renderer
from engagement_pipeline.copywriting.template import TemplateCopywriter
from engagement_pipeline_tests.copywriting.pages import Page
from engagement_pipeline_tests.copywriting.samples import brand, brief, copy

BRAND = brand()
RENDERER = Renderer(BRAND)
WRITER = TemplateCopywriter(BRAND)
LINKS = Links("https://shop.example.com/?a=1&b=2", "https://shop.example.com/unsubscribe?token=ab.cd-ef_12")


def rendered(name: str | None = "Ann Lee", links: Links = LINKS) -> RenderedEmail:
    return RENDERER.render(copy(), Recipient(name), links)


def test_subject_preheader_and_greeting_carry_the_first_name() -> None:
    email = rendered()
    assert email.subject == "What are you in the mood for, Ann?"
    assert email.text.startswith("Hello Ann,\n\n")
    assert "Hello Ann," in Page(email.html).words
    assert "Lee" not in email.html + email.text


def test_without_a_name_it_still_reads_well() -> None:
    email = rendered(None)
    assert email.subject == "What are you in the mood for?"
    assert email.text.startswith("Hello,\n\n")
    assert "Hello," in Page(email.html).words


def test_html_is_complete_and_fetches_nothing() -> None:
    email = rendered()
    page = Page(email.html)
    assert page.attributes["html"]["lang"] == "en-US"
    assert f"<title>{email.subject}</title>" in email.html
    assert '<meta name="color-scheme" content="light dark"' in email.html
    assert "prefers-color-scheme: dark" in email.html
    assert not {"img", "link", "script", "iframe", "form"} & set(page.tags)
    assert not re.search(r"@import|url\(|@font-face", email.html)
    assert not re.search(r"\{\{|\{%|\}\}", email.html + email.text)
    assert len(email.html.encode()) < 20_000


def test_the_preheader_is_first_and_hidden() -> None:
    email = rendered()
    body = email.html.split("<body", 1)[1]
    hidden = re.search(rf'<div style="display:none;[^"]*">{re.escape(email.preheader)}([^<]*)</div>', body)
    assert hidden is not None
    assert Page(email.html).words.strip().startswith(email.preheader)
    # Nothing to read follows it for longer than any inbox shows: Gmail's line in a wide window is some 200 wide.
    assert set(hidden.group(1)) == {"\u034f", "\u200c", "\u00a0"}
    assert hidden.group(1).count("\u00a0") + len(email.preheader) + len(email.subject) > 150
    assert "\u200c" not in email.preheader + email.text


def test_one_button_and_the_same_links_in_both_parts() -> None:
    email = rendered()
    assert Page(email.html).links == [LINKS.call_to_action, LINKS.unsubscribe]
    assert re.findall(r"https?://\S+", email.text) == [LINKS.call_to_action, LINKS.unsubscribe]


def test_the_only_image_tells_of_an_open_and_says_nothing() -> None:
    pixel = "https://mail.example.com/o/token.gif"
    page = Page(rendered(links=Links(LINKS.call_to_action, LINKS.unsubscribe, pixel)).html)
    assert page.tags.count("img") == 1
    image = page.attributes["img"]
    assert (image["src"], image["alt"], image["width"], image["height"]) == (pixel, "", "1", "1")
    assert page.links == [LINKS.call_to_action, LINKS.unsubscribe]
    assert pixel not in rendered(links=Links(LINKS.call_to_action, LINKS.unsubscribe, pixel)).text


def test_the_footer_has_the_postal_address_and_the_way_out_in_both_parts() -> None:
    email = rendered()
    words = Page(email.html).words
    for line in (*BRAND.postal_address, "Unsubscribe", BRAND.signature, "you agreed to hear from Stitch Fix"):
        assert line in words
        assert line in email.text


def test_plain_text_is_wrapped_and_says_everything() -> None:
    email = rendered()
    assert all(len(line) <= 72 or "https://" in line for line in email.text.splitlines())
    joined = " ".join(email.text.split())
    for said in (*copy().paragraphs, copy().call_to_action):
        assert said in joined
    assert "\n\n\n" not in email.text
    assert "&" not in email.text.replace(LINKS.call_to_action, "")


def test_signs_of_html_in_the_copy_are_text() -> None:
    email = RENDERER.render(
        copy(first='It\'s been <b>a season</b> & more, "quoted" and so on.'), Recipient(None), LINKS
    )
    assert "<b>" not in email.html
    assert 'It\'s been <b>a season</b> & more, "quoted"' in Page(email.html).words
    assert "<b>a season</b> & more" in email.text


def test_every_template_renders_for_everyone() -> None:
    for variant, silence, number, taste in product(
        WRITER.variants, SILENCES, range(1, LAST_NUMBER + 1), ((), ("denim",), ("tops", "shoes", "pants"))
    ):
        (text,) = WRITER.write([brief(variant=variant, silence=silence, number=number, categories=taste)])
        for name in ("Ann", None):
            email = RENDERER.render(text.copy, Recipient(name), LINKS)
            assert "{{" not in email.subject + email.preheader + email.html + email.text
            assert not re.search(r" [,.!?]|,,|  ", email.subject + email.preheader + Page(email.html).words)
            assert email.subject[0].isupper()


HOSTILE_NAMES = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            "</title><script>alert(1)</script>",
            '"><img src=x onerror=alert(1)>',
            "{{ brand }}",
            "{% include 'email.txt' %}",
            "Ann\r\nBcc: all@example.com",
            "\u202eAnn",
            "A" * 10_000,
            "{{first_name}}",
        ]
    ),
)
SHAPE = Page(rendered().html).tags


@settings(deadline=None)
@given(HOSTILE_NAMES, st.lists(HOSTILE_NAMES, max_size=3))
def test_no_name_or_category_breaks_markup_or_reaches_a_header(name: str, preferred: list[str]) -> None:
    about = make_brief(
        days_since_last_order=90,
        order_days=2,
        average_order_value=10,
        median_order_value=10,
        preferred_categories=preferred,
        emails_this_silence=0,
        variant="note",
        brand=BRAND,
    )
    email = RENDERER.render(WRITER.write([about])[0].copy, Recipient(name), LINKS)
    assert Page(email.html).tags == SHAPE
    assert Page(email.html).links == [LINKS.call_to_action, LINKS.unsubscribe]
    for line in (email.subject, email.preheader):
        assert len(line.splitlines()) == 1
        assert len(line) <= 140
        assert not set(line) & set("<>{}\u202e\u2028\x00")


@pytest.mark.parametrize(
    "link",
    [
        "",
        "shop.example.com",
        "javascript:alert(1)",
        "mailto:a@example.com",
        "https://",
        "https://shop.example.com/a b",
        "https://shop.example.com/\nBcc: all@example.com",
    ],
)
def test_a_link_that_is_no_web_address_is_refused(link: str) -> None:
    with pytest.raises(ValueError, match="complete http or https address"):
        Links(link, LINKS.unsubscribe)
    with pytest.raises(ValueError, match="complete http or https address"):
        Links(LINKS.call_to_action, link)
    with pytest.raises(ValueError, match="complete http or https address"):
        Links(LINKS.call_to_action, LINKS.unsubscribe, link)


def test_a_quote_in_a_link_stays_in_the_link() -> None:
    links = Links('https://shop.example.com/?q="onmouseover=alert(1)', LINKS.unsubscribe)
    page = Page(rendered(links=links).html)
    assert page.links[0] == links.call_to_action
    assert page.tags == SHAPE


@pytest.mark.alone
def test_the_layout_is_compiled_once_for_all_renderers() -> None:
    Renderer(BRAND)
    started = time.perf_counter()
    for _ in range(200):
        Renderer(BRAND)
    assert time.perf_counter() - started < 0.2


def test_two_brands_do_not_mix() -> None:
    other = Renderer(brand(name="Other Shop", signature="All of us"))
    assert "All of us" in other.render(copy(), Recipient(None), LINKS).text
    assert "All of us" not in rendered().text
