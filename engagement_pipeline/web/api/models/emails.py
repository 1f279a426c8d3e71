"""E-mails, as the API gives them."""

from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from engagement_pipeline.delivery.statuses import Status
from engagement_pipeline.web.api.models.common import Code, Given, Listed, Moment, Note, Taken


class EmailQuery(Listed):
    """Which e-mails; the newest come first."""

    status: Status | None = None
    campaign: Code | None = None
    variant: Code | None = None
    created_from: Moment | None = Field(None, description="Written at this moment or later.")
    created_to: Moment | None = Field(None, description="Written before this moment.")


class EmailSummary(Given):
    """An e-mail in a list."""

    email_id: str
    user_id: str
    campaign: str
    step: int = Field(description="The how-manieth of this user in the campaign.")
    status: Status
    reason: str | None
    score: float = Field(description="When it was decided.")
    band: str
    value_at_risk: float
    variant: str | None
    subject: str | None = Field(description="Without a name; null for the hold-out.")
    copywriter: str | None
    edition: str | None
    requested_by: str | None = Field(description="Who asked for it, where it was a person.")
    decided_at: datetime
    created_at: datetime
    sent_at: datetime | None
    updated_at: datetime


class EmailEvent(Given):
    """One thing that was reported of an e-mail. Opens are unreliable."""

    event_id: str
    kind: str
    source: str
    occurred_at: datetime
    received_at: datetime
    detail: dict[str, str]


class Rendered(Given):
    """The e-mail as its recipient sees it. The link to unsubscribe is the real one; nothing else in it is counted."""

    subject: str
    preheader: str
    html: str = Field(description="Show it in a sandboxed frame only.")
    text: str


class EmailAnswer(EmailSummary):
    """An e-mail with everything about it."""

    rendered: Rendered | None = Field(description="Null without a copy: for the hold-out.")
    brief: dict[str, Any] | None = Field(
        description="All that its writer knew of the user, in bands: no name, no address, no id. Null for the hold-out."
    )
    provenance: dict[str, Any] | None = Field(description="Where a model wrote the copy: which, and at what price.")
    attempts: int
    not_before: datetime | None
    provider: str | None
    provider_message_id: str | None
    overrides: list[str] | None = Field(description="The gate's reasons that were set aside for it.")
    events: list[EmailEvent]


class Resolution(Taken):
    """What became of an e-mail of which nobody could tell."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"became": "sent", "note": "in the provider's log"}]})

    became: Literal["sent", "failed"]
    note: Note = Field("", description="How you know; without a name or an address.")
