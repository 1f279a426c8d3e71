"""What waits for somebody to agree to its words, as the API gives it."""

from datetime import datetime

from engagement_pipeline.web.api.models.common import Given


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
