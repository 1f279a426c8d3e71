"""Users, as the API takes and gives them."""

from datetime import date, datetime
from typing import Annotated, Any, Final, Literal
from zoneinfo import available_timezones

from pydantic import ConfigDict, Field, WithJsonSchema

from engagement_pipeline.users.models import MAX_AMOUNT, EmailAddress, TimeZoneName
from engagement_pipeline.web.api.models.common import (
    Count,
    ExplainedScore,
    Given,
    Identifier,
    Line,
    Listed,
    Moment,
    Taken,
)
from engagement_pipeline.web.queries.users import Band, Sort

_ADDRESS: Final = {"type": "string", "format": "email", "maxLength": 254, "examples": ["ada@example.com"]}

Address = Annotated[EmailAddress, WithJsonSchema(_ADDRESS)]
Amount = Annotated[float, Field(ge=0, le=MAX_AMOUNT, allow_inf_nan=False)]
TimeZone = Annotated[TimeZoneName, WithJsonSchema({"type": "string", "enum": sorted(available_timezones())})]

EXAMPLE: Final[dict[str, Any]] = {
    "user_id": "c-1042",
    "email": "ada@example.com",
    "name": "Ada Lovelace",
    "preferred_categories": ["dresses", "shoes"],
    "consent": True,
    "time_zone": "Europe/London",
}


class UserFields(Taken):
    """What the shop knows of a user; what is left out is not known.

    `order_count`, `average_order_value`, `first_order_at` and `last_order_at` are what the shop's own record says of
    orders; they stand until the orders themselves are known.
    """

    email: Address | None = None
    name: Line | None = None
    preferred_categories: list[Line] = Field([], max_length=50)
    consent: bool = Field(False, description="Whether the user has agreed to be written to.")
    time_zone: TimeZone = "UTC"
    order_count: Count | None = None
    average_order_value: Amount | None = None
    first_order_at: Moment | None = None
    last_order_at: Moment | None = None


class NewUser(UserFields):
    """A user whom the store does not know yet."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    user_id: Identifier = Field(description="The shop's own id.")
    created_at: Moment | None = Field(None, description="When the account was made; by default now.")


class UserPatch(UserFields):
    """What is to change; what is left out stays (RFC 7396)."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"consent": False}]})


class UserQuery(Listed):
    """Which users, and in which order."""

    q: str | None = Field(
        None,
        max_length=320,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        description="The beginning of the name or of its last word, without regard to case and accents; or the whole "
        "address or id. What is found is in the order of names.",
    )
    band: Band | None = None
    score_from: float | None = Field(None, ge=0, le=100, allow_inf_nan=False)
    score_to: float | None = Field(None, ge=0, le=100, allow_inf_nan=False)
    sort: Sort | None = Field(
        None,
        description="`-` for the highest or newest first. By default `score` with a band or a score, else `user_id`. "
        "Sorted by score, users without one are left out. Without effect beside `q`.",
    )


class UserSummary(Given):
    """A user in a list, with the score that was last published."""

    user_id: str
    email: str | None
    name: str | None
    consent: bool
    order_count: int
    average_order_value: float
    last_order_at: datetime | None
    last_email_at: datetime | None
    score: float | None = Field(description="Null until a run has scored the user.")
    band: str | None
    as_of: date | None = Field(description="The day on which the score or its band last moved.")


class SuppressedBy(Given):
    """Why the user's address must not be written to."""

    reason: str
    source: str
    suppressed_at: datetime


class UserAnswer(Given):
    """A user, with the score computed for this answer."""

    user_id: str
    email: str | None
    name: str | None
    preferred_categories: list[str]
    consent: bool
    time_zone: str
    order_count: int = Field(description="Orders that count, from the orders themselves or as stated.")
    order_days: int = Field(description="Different days with such an order.")
    average_order_value: float
    first_order_at: datetime | None
    last_order_at: datetime | None
    last_email_at: datetime | None
    emails_since_order: int = Field(description="E-mails since the last order; for the hold-out, those there would be.")
    created_at: datetime
    updated_at: datetime
    version: int = Field(description="Grows with every change; the ETag is made of it.")
    score: ExplainedScore | None
    why_no_score: str | None = Field(description="Where `score` is null.")
    suppression: SuppressedBy | None
    open_email_id: str | None = Field(description="An e-mail to this user that is not sent yet.")


class TimelineEntry(Given):
    """One thing that happened to a user."""

    at: datetime
    kind: Literal["order", "decision", "email", "event", "band", "change"] = Field(
        description="`decision`: the gate's word. `email`: handed over. `event`: what was reported of it; opens are "
        "unreliable. `band`: the score came into another band. `change`: what somebody did to the record."
    )
    entry_id: str
    what: str = Field(description="A code: the status of an order, the decision, the kind of event, the action, ...")
    order_id: str | None
    email_id: str | None
    details: dict[str, Any]


class Erasure(Given):
    """What has become of the wish to be forgotten."""

    user_id: str
    orders: int = Field(description="Deleted.")
    emails: int = Field(description="Made anonymous: they still count.")
    events: int
    rejected_records: int
    files: int
    suppressed: int = Field(description="Addresses that are never written to again.")
    same_address: list[str] = Field(description="Other users with this address, who may be the same person.")
    left: str | None = Field(
        description="Why it is not finished yet: `message_in_flight` or `store_files`; it is finished by itself. Null: "
        "it is finished."
    )


class WriteNow(Taken):
    """A wish to write to a person now."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"override_cool_down": False}]})

    override_cool_down: bool = Field(
        False, description="Whether the time since the last e-mail is set aside. It is recorded who wanted that."
    )


class Requested(Given):
    """What the gate said to it."""

    status: Literal["queued", "refused"]
    reason: str = Field(description="The gate's code.")
    meaning: str = Field(description="The same in a sentence.")
    email_id: str | None
    overridden: list[str] = Field(description="The gate's reasons that were set aside.")
    not_before: datetime | None = Field(description="When the user's sending hours begin, if they are not on now.")
