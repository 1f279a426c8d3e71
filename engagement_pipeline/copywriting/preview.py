"""One e-mail with all that led to it, as a page to look at: whole in itself, without a script or another resource."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from engagement_pipeline.copywriting.brief import Brief
from engagement_pipeline.copywriting.facts import Fact
from engagement_pipeline.copywriting.render import RenderedEmail


@dataclass(frozen=True)
class Preview:
    """What one user's e-mail would be now, and why. Sentences are for people.

    Attributes:
        user_id: whose.
        campaign: of which campaign.
        edition: all the words that its copywriter could have chosen.
        variant: the style.
        origin: a sentence: whether it waits in the ledger or was written for this preview.
        may_go: whether it would be sent now.
        verdict: why, or why not, or from when on, sentence by sentence.
        score: where the user's score comes from, sentence by sentence.
        email: as the user would get it, but for the links, which lead nowhere in particular.
        brief: what the copywriter may know today.
        facts: the same in sentences, each with its id.
        prompt: what a model is asked, with roles; empty where none is.
        prompt_note: a sentence on that.
        copywriter: whose words these are.
        record: of generated copy, see `Text.record`; None where there is nothing to tell.
        cost: a sentence: what was paid, and when.
    """

    user_id: str
    campaign: str
    edition: str
    variant: str
    origin: str
    may_go: bool
    verdict: tuple[str, ...]
    score: tuple[str, ...]
    email: RenderedEmail
    brief: Brief
    facts: tuple[Fact, ...]
    prompt: Sequence[Mapping[str, str]]
    prompt_note: str
    copywriter: str
    record: Mapping[str, Any] | None
    cost: str


def preview_page(preview: Preview) -> str:
    """Return the page, as HTML. The e-mail stands in frames that can run nothing, load nothing and lead nowhere."""
    # A link would lead its frame away, to nothing; a window of its own it may not open.
    framed = preview.email.html.replace("<head>", '<head><base target="_blank">', 1)
    return _template().render(preview=preview, framed=framed, brief=preview.brief.in_words(), record=_told(preview))


def _told(preview: Preview) -> dict[str, str]:
    shown = {"copywriter": preview.copywriter}
    for name, value in (preview.record or {}).items():
        if name == "cost_usd":
            shown["cost"] = f"${value:.5f}"
        elif name == "failures":
            shown["what failed"] = ", ".join(value) or "none"
        else:
            shown[name.replace("_", " ")] = f"{value:,}" if isinstance(value, int) else str(value)
    return shown


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader(__package__, ""), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("preview.html.j2")
