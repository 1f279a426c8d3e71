"""Copy to e-mail: HTML and plain text for one recipient. Nothing here decides what is said or to whom."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from urllib.parse import urlsplit

from jinja2 import DictLoader, Environment, StrictUndefined, select_autoescape

from engagement_pipeline.copywriting.brand import Brand
from engagement_pipeline.copywriting.copy import Copy
from engagement_pipeline.copywriting.names import first_name
from engagement_pipeline.copywriting.text import is_visible

# RFC 5322 asks for lines under 78 characters; mail programs that quote them need some of that.
_TEXT_WIDTH = 72

# After the preheader, inboxes go on with whatever text comes next in the e-mail. This fills their line with nothing: a
# joiner that cannot be seen, a non-joiner and a space that is not collapsed.
_PADDING = "\u034f\u200c\u00a0" * 100


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
    """Fills one brand's e-mail; the layout is compiled once per process, whatever the number of renderers."""

    def __init__(self, brand: Brand) -> None:
        """Prepare to render for a brand."""
        self._brand = brand
        self._html = _environment().get_template("email.html")
        self._text = _environment().get_template("email.txt")

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
def _environment() -> Environment:
    # Imported here: whoever only reads a brief or a brand does not wait for the compiler.
    from mjml import mjml2html

    folder = files(__package__)
    html = mjml2html(folder.joinpath("email.mjml").read_text(encoding="utf-8"), disable_comments=True, fonts={})
    text = folder.joinpath("email.txt.j2").read_text(encoding="utf-8")
    environment = Environment(
        loader=DictLoader({"email.html": html, "email.txt": text}),
        autoescape=select_autoescape(enabled_extensions=("html",), default=False, default_for_string=True),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["wrapped"] = _wrapped
    environment.globals["padding"] = _PADDING
    return environment


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
