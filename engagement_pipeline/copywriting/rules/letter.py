"""What a rule looks at: a copy with its brief and its brand, and what is left of each field to be proved."""

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from engagement_pipeline.copywriting.brand import Brand
from engagement_pipeline.copywriting.brief import Brief
from engagement_pipeline.copywriting.copy import Copy, fill
from engagement_pipeline.copywriting.rules.own_words import without_own_words

Code = Literal[
    "length",
    "language",
    "placeholder",
    "placeholder_position",
    "markup",
    "url",
    "email_address",
    "postal_address",
    "phone_number",
    "long_number",
    "percentage",
    "currency",
    "code",
    "figure",
    "offer",
    "offer_scope",
    "urgency",
    "shouting",
    "forbidden_phrase",
    "category_outside_brief",
    "name_outside_brief",
    "silence_outside_brief",
    "interest_echoed",
    "reason_outside_facts",
    "repetition",
]


class Violation(NamedTuple):
    """One broken rule, and the field and words that break it."""

    code: Code
    detail: str


@dataclass(frozen=True)
class Passage:
    """One field of the copy.

    Attributes:
        field: its name, for people.
        text: as it is written.
        nameless: as it reads without a name.
        claims: that, without what the brand and the brief's offers and items say themselves, and in plain letters and
            digits: whatever a look-alike of a digit claims is claimed.
    """

    field: str
    text: str
    nameless: str
    claims: str


@dataclass(frozen=True)
class Letter:
    """A copy to be checked."""

    copy: Copy
    brief: Brief
    brand: Brand

    @cached_property
    def passages(self) -> tuple[Passage, ...]:
        return tuple(self._passages())

    def _passages(self) -> Iterator[Passage]:
        for field, text in fields(self.copy):
            nameless = fill(text, None)
            claims = unicodedata.normalize("NFKC", without_own_words(nameless, self.brief, self.brand))
            yield Passage(field, text, nameless, claims)


Rule = Callable[[Letter], Iterable[Violation]]


def fields(copy: Copy) -> Iterator[tuple[str, str]]:
    """Yield the fields that are read, with their names, in the order of reading."""
    yield "subject", copy.subject
    yield "preheader", copy.preheader
    yield "greeting", copy.greeting
    for number, paragraph in enumerate(copy.paragraphs, start=1):
        yield f"paragraph {number}", paragraph
    yield "call_to_action", copy.call_to_action
