"""What a model is told: first what is the same for every brief, so that the provider can cache it, then the facts.

Facts hold words of users and of catalogues. They go in as JSON between two tags, with every sign escaped that could end
the JSON, the tags or a line, or that a reader of the prompt would not see.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from engagement_pipeline.copywriting.brand import Brand
from engagement_pipeline.copywriting.brief import Brief
from engagement_pipeline.copywriting.copy import FIRST_NAME
from engagement_pipeline.copywriting.facts import facts_of
from engagement_pipeline.copywriting.openai.answers import ANSWER_FORMAT, Fault
from engagement_pipeline.copywriting.text import is_visible
from engagement_pipeline.platform.fast_yaml import read_yaml

# What the prompts and the brand say, to the letter, is in the version as a hash; to be raised when the wording of
# `facts_of` changes, which is not.
EDITION: Final = 1

# JSON may write any sign by its number.
_TAG_SIGNS: Final = str.maketrans({"<": "\\u003c", ">": "\\u003e"})
_PROMPTS = Path(__file__).with_name("prompts")

Messages = list[dict[str, str]]


def load_styles() -> dict[str, str]:
    """Return the styles that a model can be asked for, each with its description."""
    styles: dict[str, str] = read_yaml(_PROMPTS / "styles.yaml")
    return styles


class Prompt:
    """The prompts of one brand."""

    def __init__(self, brand: Brand) -> None:
        # Not HTML: what is escaped here is the facts, by `fenced`.
        environment = Environment(  # noqa: S701
            loader=FileSystemLoader(_PROMPTS), trim_blocks=True, undefined=StrictUndefined
        )
        self._brand = brand
        self._brief = environment.get_template("brief.md.j2")
        self._again = environment.get_template("again.md.j2")
        self.styles = load_styles()
        system = environment.get_template("system.md.j2")
        self.system = system.render(brand=brand, styles=self.styles, first_name=FIRST_NAME)
        facts = brand.model_dump_json(include={"promises", "categories"})
        sources = (_source(name) for name in ("brief.md.j2", "again.md.j2"))
        told = "\0".join((self.system, facts, *sources, str(ANSWER_FORMAT)))
        self.version = f"{EDITION}.{hashlib.sha256(told.encode()).hexdigest()[:12]}"

    def messages(self, brief: Brief, number: int) -> Messages:
        """Return what is asked for a brief.

        Args:
            brief: what may be known.
            number: which of its texts, from 0.
        """
        facts = [fenced({"id": fact.id, "text": fact.text}) for fact in facts_of(brief, self._brand)]
        asked = self._brief.render(style=brief.variant, number=number, facts="\n".join(facts))
        return [{"role": "system", "content": self.system}, {"role": "user", "content": asked}]

    def again(self, messages: Messages, answer: str | None, faults: Sequence[Fault]) -> Messages:
        """Return what is asked after an answer that cannot be sent.

        Args:
            messages: what was asked.
            answer: what came back, where it is worth repeating.
            faults: what is wrong with it.
        """
        listed = "\n".join(fenced({"code": fault.code, "what": fault.detail}) for fault in faults)
        answered = [] if answer is None else [{"role": "assistant", "content": answer}]
        return [*messages, *answered, {"role": "user", "content": self._again.render(faults=listed)}]


def fenced(fact: dict[str, str]) -> str:
    """Write a fact as one line of JSON that nothing in it can break out of."""
    line = json.dumps(fact, ensure_ascii=False).translate(_TAG_SIGNS)
    return line if is_visible(line) else "".join(sign if is_visible(sign) else json.dumps(sign)[1:-1] for sign in line)


def _source(name: str) -> str:
    return (_PROMPTS / name).read_text(encoding="utf-8")
