"""Copy to e-mail: HTML and plain text for one recipient. Nothing here decides what is said or to whom."""

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from operator import attrgetter
from urllib.parse import urlsplit

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import escape

from engagement_pipeline.copywriting.brand import Brand
from engagement_pipeline.copywriting.copy import Copy
from engagement_pipeline.copywriting.names import first_name
from engagement_pipeline.copywriting.text import is_visible

# RFC 5322 asks for lines under 78 characters; mail programs that quote them need some of that.
_TEXT_WIDTH = 72

# After the preheader, inboxes go on with whatever text comes next in the e-mail. This fills their line with nothing: a
# joiner that cannot be seen, a non-joiner and a space that is not collapsed.
_PADDING = "\u034f\u200c\u00a0" * 100


_BRAND = re.compile(r"\{\{ brand\.([a-z_.]+) \}\}")


@dataclass(frozen=True)
class Recipient:
    """Whom the e-mail greets.

    `first_name` may be what the shop's record holds: a full name, or something that is no name. Only a first name that
    is fit to be read is used.
    """

    first_name: str | None


@dataclass(frozen=True)
class Links:
    """Where the button and the unsubscribe link lead, and the image that tells of an open, where there is one."""

    call_to_action: str
    unsubscribe: str
    pixel: str | None = None

    def __post_init__(self) -> None:
        for link in (self.call_to_action, self.unsubscribe, *([self.pixel] if self.pixel is not None else [])):
            parts = urlsplit(link)
            if parts.scheme not in ("https", "http") or not parts.netloc or not is_visible(link) or " " in link:
                raise ValueError("a link in an e-mail must be a complete http or https address")


@dataclass(frozen=True)
class RenderedEmail:
    """One e-mail, ready to be put into a message; `subject` and `preheader` are single lines."""

    subject: str
    preheader: str
    html: str
    text: str


class Renderer:
    """Fills one brand's e-mail. What is the same in all of its e-mails is filled in once, here."""

    def __init__(self, brand: Brand) -> None:
        """Prepare to render for a brand."""
        self._brand = brand
        self._html, self._text = _templates(brand)

    def render(self, copy: Copy, recipient: Recipient, links: Links) -> RenderedEmail:
        """Fill the recipient's name and links into the copy and the copy into the layout."""
        personal = copy.personalised(first_name(recipient.first_name))
        facts = {"brand": self._brand, "copy": personal, "links": links}
        return RenderedEmail(
            subject=personal.subject,
            preheader=personal.preheader,
            html=self._html.render(facts),
            text=self._text.render(facts),
        )


@cache
def _layouts() -> tuple[str, str]:
    # Imported here: whoever only reads a brief or a brand does not wait for the compiler.
    from mjml import mjml2html

    folder = files(__package__)
    html = mjml2html(folder.joinpath("email.mjml").read_text(encoding="utf-8"), disable_comments=True, fonts={})
    return html, folder.joinpath("email.txt.j2").read_text(encoding="utf-8")


@lru_cache(maxsize=8)
def _templates(brand: Brand) -> tuple[Template, Template]:
    html, text = _layouts()
    html = _BRAND.sub(lambda found: _fact(brand, found[1]), html)
    return _environment(autoescape=True).from_string(html), _environment(autoescape=False).from_string(text)


def _environment(*, autoescape: bool) -> Environment:
    environment = Environment(autoescape=autoescape, undefined=StrictUndefined, keep_trailing_newline=True)  # noqa: S701
    environment.filters["wrapped"] = _wrapped
    environment.globals["padding"] = _PADDING
    return environment


def _fact(brand: Brand, name: str) -> str:
    """Return one of the brand's own words or colours; they hold no braces, so that none becomes a placeholder."""
    return str(escape(attrgetter(name)(brand)))


def _wrapped(paragraph: str) -> str:
    """Break lines at spaces; `textwrap` would be most of the cost of an e-mail."""
    lines: list[str] = []
    line = ""
    for word in paragraph.split():
        if line and len(line) + 1 + len(word) > _TEXT_WIDTH:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return "\n".join([*lines, line])
