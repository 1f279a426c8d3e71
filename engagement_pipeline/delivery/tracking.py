"""Opens and clicks: the links of an e-mail that tell of them, and whether a person or a machine followed one.

What cannot be known: whether an e-mail was read. A mail program that loads no images hides a reader, and one that loads
them by itself makes one up, so opens are unreliable and only good for comparing e-mails with each other. Clicks are
better, yet a scanner that calls itself an ordinary browser and waits a while looks like a person (Microsoft Defender's
Safe Links does). What the rules below call a person is therefore at most that; what they call a machine is one.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Final, Literal
from urllib.parse import quote

from engagement_pipeline.copywriting.render import Links
from engagement_pipeline.delivery import tokens

# Before the message is in the inbox, noticed, opened and read this far, at least so much time goes by. Gateways follow
# links before they deliver: https://campus.barracuda.com/product/sentinel/doc/498468311/unwanted-link-clicks
SECONDS_TO_READ: Final = 10.0

# Whoever it is, says so at the beginning; the robots' patterns take time that grows with the square of the length.
_JUDGED: Final = 512

_MACHINES: Final = re.compile(
    # Apple Mail Privacy Protection loads all images, read or not, as this and nothing more:
    # https://github.com/ua-parser/uap-core/issues/509
    r"^Mozilla/\d\.\d$"
    # Gmail loads images of some messages as they arrive: https://www.gmass.co/blog/false-opens-in-gmail/
    r"|Edge/12\.246 Mozilla/5\.0$"
    # Mail gateways that say who they are.
    r"|barracuda|mimecast|proofpoint|urldefense|ironport|cisco ?secure|fortimail|fortiguard|forcepoint|messagelabs"
    r"|trend ?micro|safelinks",
    re.IGNORECASE,
)

# Here people look at images; crawlerdetect counts most of these as robots, since they are not browsers. Gmail and Yahoo
# load them through a proxy when the message is opened (https://support.google.com/mail/answer/145919), which hides who
# and how often, but not that somebody did. None of them follows a link.
_MAIL_PROGRAMS: Final = re.compile(
    r"GoogleImageProxy|YahooMailProxy|Microsoft Outlook|Outlook-(iOS|Android)|MacOutlook|ms-office|Thunderbird|Airmail",
    re.IGNORECASE,
)


def links_for(email_id: str, site_url: str, public_url: str, secret: str, tracking: bool) -> Links:
    """Return where an e-mail's links lead.

    Args:
        email_id: 32 hex digits.
        site_url: the shop, where the button ends up.
        public_url: under which `engagement web` is reached, without a slash at the end; empty where it is not, and then
            the shop has to answer `/unsubscribe` and nothing is tracked.
        secret: what signs the tokens in them.
        tracking: whether opens and clicks are counted; if not, the button leads to the shop directly.
    """
    site = site_url.rstrip("/")
    unsubscribe = f"{public_url or site}/unsubscribe?token={tokens.issue(email_id, 'unsubscribe', secret)}"
    if not (public_url and tracking):
        return Links(site, unsubscribe)
    click = f"{public_url}/c/{tokens.issue(email_id, 'click', secret, site)}?to={quote(site, safe='')}"
    return Links(click, unsubscribe, pixel=f"{public_url}/o/{tokens.issue(email_id, 'open', secret)}.gif")


def is_machine(
    kind: Literal["open", "click"],
    user_agent: str | None,
    *,
    method: str = "GET",
    prefetch: bool = False,
    seconds_since_sent: float | None = None,
) -> bool:
    """Tell whether a machine, and no person, opened or clicked.

    Args:
        kind: what was done.
        user_agent: as the request named it; a person's program always names itself.
        method: of the request; a person's program fetches, and does not merely ask (HEAD).
        prefetch: whether the request said that nobody has asked for it yet.
        seconds_since_sent: since the message was handed over; None where that is not known.
    """
    agent = (user_agent or "").strip()[:_JUDGED]
    if not agent or method != "GET" or prefetch:
        return True
    if seconds_since_sent is not None and seconds_since_sent < SECONDS_TO_READ:
        return True
    if _MACHINES.search(agent):
        return True
    if _MAIL_PROGRAMS.search(agent):
        return kind == "click"
    return _known_robots()(agent)


@cache
def _known_robots() -> Callable[[str], bool]:
    # The list that most of the web's statistics use, in its Python form: https://github.com/moskrc/crawlerdetect
    from crawlerdetect import CrawlerDetect

    detector = CrawlerDetect()
    return lambda agent: bool(detector.is_crawler(agent))
