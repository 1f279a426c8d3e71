"""The copy of an e-mail, and the Protocol of everything that can write it."""

import re
from collections.abc import Sequence
from typing import Annotated, Protocol

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


class Copywriter(Protocol):
    """Writes copy for briefs.

    `name` stands with each draft; `variants` are the styles it can write in, compared by their effect.
    """

    @property
    def name(self) -> str: ...

    @property
    def variants(self) -> tuple[str, ...]: ...

    def write(self, briefs: Sequence[Brief]) -> list[Copy]:
        """Return one copy per brief, in their order."""
        ...


def fill(text: str, first_name: str | None) -> str:
    """Put a name in the placeholder's place; without one, take the comma that belongs to it away as well."""
    if FIRST_NAME not in text:
        return text
    if first_name is not None:
        return text.replace(FIRST_NAME, first_name)
    return _VOCATIVE.sub("", _LEADING.sub(lambda match: match.group(1).upper(), text))
