"""What waits for somebody to agree to its words, as the API gives it."""

from datetime import datetime

from pydantic import ConfigDict, Field

from engagement_pipeline.copywriting.approvals import Verdict
from engagement_pipeline.web.api.models.common import Given, Note, Taken


class SampleAnswer(Given):
    """One e-mail of an edition, with its placeholders."""

    email_id: str
    variant: str | None
    subject: str
    paragraphs: list[str]


class WaitingAnswer(Given):
    """An edition (e-mails with the same words to choose from) that nobody has decided on."""

    edition: str
    number: int
    is_more: bool = Field(description="Whether there may be more than were counted.")
    oldest: datetime
    samples: list[SampleAnswer]


class DecidedAnswer(Given):
    """A verdict that stands."""

    edition: str
    verdict: str
    decided_by: str
    note: str
    decided_at: datetime


class Approvals(Given):
    """What waits, and what was decided."""

    campaign: str
    needed: bool
    waiting: list[WaitingAnswer]
    decided: list[DecidedAnswer]


class Decision(Taken):
    """What somebody decides about an edition."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"verdict": "approved", "note": "reads well"}]})

    verdict: Verdict
    note: Note = Field("", description="Why; without a name or an address.")


class VerdictAnswer(Given):
    """The verdict that stands, and the e-mails with these words that waited."""

    decided: DecidedAnswer
    closed: int = Field(description="That waited, and were closed by this.")
    waiting: int = Field(description="That may go now; of a rejected edition: that a sender holds.")
