"""The copy of an e-mail, and the Protocol of everything that can write it."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from engagement_pipeline.copywriting.brief import Brief
from engagement_pipeline.copywriting.text import Line

FIRST_NAME = "{{first_name}}"

_LEADING = re.compile(r"^\{\{first_name\}\},\s*(\w)")
_VOCATIVE = re.compile(r",?\s*\{\{first_name\}\}")


class Copy(BaseModel):
    """What one e-mail says, as text; `{{first_name}}` stands where the name will be.

    Lengths are in characters, the placeholder included: a subject fits a phone's list, a paragraph a phone's screen.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    subject: Line = Field(min_length=8, max_length=70)
    preheader: Line = Field(min_length=20, max_length=110, description="The line beside the subject in the inbox.")
    greeting: Line = Field(min_length=2, max_length=40)
    paragraphs: Annotated[tuple[Annotated[Line, Field(min_length=20, max_length=400)], ...], Field(strict=False)] = (
        Field(min_length=2, max_length=3)
    )
    call_to_action: Line = Field(min_length=3, max_length=30, description="The label of the only button.")
    reasons: Annotated[tuple[Annotated[Line, Field(max_length=80)], ...], Field(strict=False)] = Field(
        (), max_length=20, description="Ids of the facts that it rests on, see `facts_of`; no part of the e-mail."
    )

    def personalised(self, first_name: str | None) -> "Copy":
        """Return the copy with the name filled in, or reading naturally without one."""
        filled = {
            "subject": fill(self.subject, first_name),
            "preheader": fill(self.preheader, first_name),
            "greeting": fill(self.greeting, first_name),
            "paragraphs": tuple(fill(paragraph, first_name) for paragraph in self.paragraphs),
        }
        return self.model_copy(update=filled)


@dataclass(frozen=True)
class Provenance:
    """Where a generated text comes from.

    `fingerprint` (of the brief), `prompt_version`, `model` and `number` name the text: users of equal briefs may share
    it. Tokens and cost are those of the text, every attempt included, however many users share it.
    """

    prompt_version: str
    model: str
    fingerprint: str
    number: int
    input_tokens: int
    output_tokens: int
    cost_usd: float


@dataclass(frozen=True)
class Text:
    """Copy for a brief, and how it came about.

    Attributes:
        copy: what may be sent.
        author: the name of the copywriter whose words these are.
        provenance: where a model was paid; also for a text that the template's had to replace.
        failures: codes of what was wrong with attempts that were given up; empty unless the copy stands in for another.
    """

    copy: Copy
    author: str
    provenance: Provenance | None = None
    failures: tuple[str, ...] = ()

    def record(self) -> dict[str, Any] | None:
        """Return what is kept with each draft; None where there is nothing to tell."""
        if self.provenance is None and not self.failures:
            return None
        known = {} if self.provenance is None else asdict(self.provenance)
        return {**known, "failures": list(self.failures)}


@dataclass(frozen=True)
class Spending:
    """What a copywriter has used in its run, texts that were given up included.

    Attributes:
        answers: answers that were paid for.
        input_tokens: tokens of prompts.
        output_tokens: tokens of answers.
        cost_usd: at the prices in the settings.
        reused: texts that were there already, from this run or an earlier one.
        stopped: why no more is asked in this run, in words; None where nothing stops it.
        awaited: texts that were asked for as batches and are not there yet.
        notes: what became of batches in this run, in words.
    """

    answers: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    reused: int = 0
    stopped: str | None = None
    awaited: int = 0
    notes: tuple[str, ...] = ()


class Copywriter(Protocol):
    """Writes copy for briefs, for the length of one run.

    `name` stands with each draft; `variants` are the styles it can write in, compared by their effect. Users with equal
    briefs share `texts_per_brief` texts, numbered from 0. Where `wording` is the same, so are the words that can come
    out: prompts, templates, brand, model.
    """

    @property
    def name(self) -> str: ...

    @property
    def variants(self) -> tuple[str, ...]: ...

    @property
    def wording(self) -> str: ...

    @property
    def texts_per_brief(self) -> int: ...

    @property
    def spent(self) -> Spending: ...

    def plan(self, wanted: Iterable[tuple[Brief, int]]) -> None:
        """Hear what a long run will ask for before it asks: what is many may be had at half the price, later.

        Args:
            wanted: briefs, each with which of its texts; some may come twice. Read only where that is of use.
        """
        ...

    def in_hand(self, briefs: Sequence[Brief], numbers: Sequence[int]) -> Sequence[bool]:
        """Tell of each brief, in their order, whether its text is there without anybody being asked for it."""
        ...

    def awaited(self, briefs: Sequence[Brief], numbers: Sequence[int]) -> Sequence[bool]:
        """Tell of each brief, in their order, whether its text is asked for and to come: `write` has none for it."""
        ...

    def write(self, briefs: Sequence[Brief], numbers: Sequence[int] | None = None) -> Sequence[Text | None]:
        """Return one text per brief, in their order; None where it must wait for a later run.

        Args:
            briefs: what to write about.
            numbers: which of its texts each brief is to get; none: the first.
        """
        ...


def text_number(user_id: str, campaign: str, texts_per_brief: int) -> int:
    """Choose which of a brief's texts a user gets: evenly over users, and the same one every time."""
    digest = hashlib.sha256(f"text\x1f{campaign}\x1f{user_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % texts_per_brief


def fill(text: str, first_name: str | None) -> str:
    """Put a name in the placeholder's place; without one, take the comma that belongs to it away as well."""
    if FIRST_NAME not in text:
        return text
    if first_name is not None:
        return text.replace(FIRST_NAME, first_name)
    return _VOCATIVE.sub("", _LEADING.sub(lambda match: match.group(1).upper(), text))
