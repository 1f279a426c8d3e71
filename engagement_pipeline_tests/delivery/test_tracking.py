import time
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement_pipeline.delivery import tokens
from engagement_pipeline.delivery.entries import email_id_for
from engagement_pipeline.delivery.tracking import SECONDS_TO_READ, is_machine, links_for

SECRET = "a-secret-key-for-tests"
EMAIL_ID = email_id_for("u1", "win-back", 1)
SITE = "https://shop.example.com"
PUBLIC = "https://mail.example.com/engagement"

BROWSERS = {
    "chrome": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/126.0.0.0 Safari/537.36",
    "firefox": "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "safari on a phone": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
    "edge of 2015": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/42.0.2311.135 Safari/537.36 Edge/12.246",
    "a phone named after a robot": "Mozilla/5.0 (Linux; Android 11; CUBOT NOTE 20) AppleWebKit/537.36 "
    "Chrome/99.0.4844.88 Mobile Safari/537.36",
    "gmail on android": "Mozilla/5.0 (Linux; Android 14; Pixel 8; wv) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Version/4.0 Chrome/125.0.0.0 Mobile Safari/537.36",
}
MAIL_PROGRAMS = {
    "gmail": "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    "yahoo": "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
    "outlook": "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; WOW64; Trident/7.0; .NET4.0C; "
    "Microsoft Outlook 16.0.4266; ms-office; MSOffice 16)",
    "outlook on a phone": "Outlook-iOS/723.4027091.prod.iphone (4.28.0)",
    "thunderbird": "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Thunderbird/115.0",
    "airmail": "Airmail/5 CFNetwork/1410 Darwin/22.4.0",
}
MACHINES = {
    "apple mail privacy protection": "Mozilla/5.0",
    "gmail before delivery": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0",
    "barracuda": "Mozilla/5.0 (compatible; Barracuda Sentinel (EE))",
    "barracuda again": "BarracudaCentral; Barracuda Link Protection",
    "mimecast": "Mimecast URL Protect",
    "proofpoint": "Proofpoint URL Defense",
    "office": "Microsoft Office Existence Discovery",
    "yahoo": "Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)",
    "bing": "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; BingPreview/1.0b)",
    "curl": "curl/8.5.0",
    "python": "python-requests/2.32.3",
    "a browser without a person": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "HeadlessChrome/126.0.0.0 Safari/537.36",
    "none": None,
    "empty": " ",
}


@pytest.mark.parametrize("agent", BROWSERS.values(), ids=BROWSERS)
def test_a_browser_is_a_person(agent: str) -> None:
    assert not is_machine("open", agent)
    assert not is_machine("click", agent, seconds_since_sent=60)


@pytest.mark.parametrize("agent", MAIL_PROGRAMS.values(), ids=MAIL_PROGRAMS)
def test_a_mail_program_shows_images_to_a_person_but_clicks_are_a_browsers(agent: str) -> None:
    assert not is_machine("open", agent)
    assert is_machine("click", agent)


@pytest.mark.parametrize("agent", MACHINES.values(), ids=MACHINES)
def test_machines_are_told_apart(agent: str | None) -> None:
    assert is_machine("open", agent)
    assert is_machine("click", agent)


@given(
    st.sampled_from(["open", "click"]),
    st.sampled_from([*BROWSERS.values(), *MAIL_PROGRAMS.values()]),
    st.floats(max_value=SECONDS_TO_READ, exclude_max=True, allow_nan=False),
)
def test_nobody_reads_so_fast(kind: str, agent: str, seconds: float) -> None:
    assert is_machine("open" if kind == "open" else "click", agent, seconds_since_sent=seconds)


@pytest.mark.parametrize("agent", BROWSERS.values(), ids=BROWSERS)
def test_whoever_only_asks_or_looks_ahead_is_a_machine(agent: str) -> None:
    assert is_machine("click", agent, method="HEAD")
    assert is_machine("open", agent, prefetch=True)


@given(st.text())
def test_any_user_agent_gets_an_answer(agent: str) -> None:
    assert is_machine("click", agent, method="HEAD")
    assert is_machine("open", agent) in (True, False)


@pytest.mark.alone
@pytest.mark.parametrize("agent", ["a" * 100_000, "a-" * 50_000, "(" * 100_000])
def test_an_endless_user_agent_is_judged_quickly(agent: str) -> None:
    is_machine("click", "warm-up")
    started = time.perf_counter()
    is_machine("click", agent)
    assert time.perf_counter() - started < 0.5


def test_tracked_links_carry_tokens_for_their_purpose_and_target() -> None:
    links = links_for(EMAIL_ID, SITE + "/", PUBLIC, SECRET, tracking=True)
    click = urlsplit(links.call_to_action)
    (target,) = parse_qs(click.query)["to"]
    assert target == SITE
    assert click.path.startswith("/engagement/c/")
    assert tokens.read(click.path.rsplit("/", 1)[1], "click", SECRET, target) == EMAIL_ID
    assert links.pixel is not None
    assert links.pixel.startswith(f"{PUBLIC}/o/")
    assert links.pixel.endswith(".gif")
    assert tokens.read(links.pixel.rsplit("/", 1)[1].removesuffix(".gif"), "open", SECRET) == EMAIL_ID


@pytest.mark.parametrize(("public_url", "tracking"), [("", True), ("", False), (PUBLIC, False)])
def test_without_tracking_the_button_leads_to_the_shop(public_url: str, tracking: bool) -> None:
    links = links_for(EMAIL_ID, SITE + "/", public_url, SECRET, tracking)
    assert links.call_to_action == SITE
    assert links.pixel is None


@pytest.mark.parametrize(("public_url", "tracking"), [("", True), (PUBLIC, True), (PUBLIC, False)])
def test_the_way_out_is_always_there(public_url: str, tracking: bool) -> None:
    links = links_for(EMAIL_ID, SITE, public_url, SECRET, tracking)
    base, _, token = links.unsubscribe.partition("?token=")
    assert base == f"{public_url or SITE}/unsubscribe"
    assert tokens.read(token, "unsubscribe", SECRET) == EMAIL_ID
