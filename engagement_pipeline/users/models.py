"""What a user and an order are. Strict: a value of another type is an error here, never a guess.

Texts from files become values of these types in `users.importing`; anything that reaches the store has passed through
these models.
"""

import re
from datetime import datetime, timezone
from enum import Enum
from functools import cache
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from engagement_pipeline.users import addresses

MAX_COUNT = 2**31 - 1
MAX_AMOUNT = 1e12
MAX_SKUS = 100
_FIRST_YEAR = 1900
_LAST_YEAR = 9998
_LONGEST_TIME_ZONE = 64

# Ids that begin so are drawn for what is left of people who have been erased: no user is called so.
PSEUDONYM_PREFIX: Final = "erased:"
# Joiners and no-break spaces are part of people's names; line breaks are what breaks headers and files.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class OrderStatus(str, Enum):
    """Where an order stands."""

    CREATED = "created"
    PROCESSING = "processing"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    RETURNED = "returned"

    @property
    def counts(self) -> bool:
        """Whether such an order says anything about its user's engagement."""
        return self not in (OrderStatus.CANCELLED, OrderStatus.RETURNED)


COUNTED = tuple(status for status in OrderStatus if status.counts)


def _to_utc(value: datetime) -> datetime:
    if value.year < _FIRST_YEAR or value.year > _LAST_YEAR:
        raise PydanticCustomError("date_out_of_range", f"is before {_FIRST_YEAR} or after {_LAST_YEAR}")
    return value.astimezone(timezone.utc)


def _printable(value: str) -> str:
    if _CONTROL.search(value):
        raise PydanticCustomError("control_characters", "contains line breaks or other control characters")
    return value


def _nobody_elses(value: str) -> str:
    if value.startswith(PSEUDONYM_PREFIX):
        raise PydanticCustomError("reserved_id", "begins as the ids do that stand for people who have been erased")
    return value


def _deliverable(value: str) -> str:
    try:
        addresses.normalise(value)
    except addresses.InvalidAddressError as error:
        raise PydanticCustomError("invalid_email", "{why}", {"why": str(error)}) from None
    return value


def _in_cents(value: float) -> float:
    return round(value, 2)


@cache
def _is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _known_time_zone(value: str) -> str:
    # The length check keeps the cache from filling up with nonsense.
    if len(value) > _LONGEST_TIME_ZONE or not _is_time_zone(value):
        raise PydanticCustomError("unknown_time_zone", "is not a time zone name such as America/New_York")
    return value


Moment = Annotated[AwareDatetime, AfterValidator(_to_utc)]
Identifier = Annotated[
    str, StringConstraints(min_length=1, max_length=128, strip_whitespace=True), AfterValidator(_printable)
]
UserId = Annotated[Identifier, AfterValidator(_nobody_elses)]
Sku = Annotated[str, StringConstraints(min_length=1, max_length=64, strip_whitespace=True), AfterValidator(_printable)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_printable)]
EmailAddress = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_deliverable)]
TimeZoneName = Annotated[str, AfterValidator(_known_time_zone)]
Amount = Annotated[float, Field(ge=0, le=MAX_AMOUNT, allow_inf_nan=False), AfterValidator(_in_cents)]
Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]


class _Record(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)


class Order(_Record):
    """A purchase. A later version of the same order replaces the earlier one."""

    order_id: Identifier
    user_id: UserId
    ordered_at: Moment
    total_value: Amount = Field(description="What was paid, in the shop's currency, rounded to cents.")
    item_count: Count = 1
    skus: Annotated[tuple[Sku, ...], Field(max_length=MAX_SKUS)] = Field(
        (), description="What was bought, by the catalogue's numbers."
    )
    status: OrderStatus = OrderStatus.DELIVERED


class User(_Record):
    """A client of the shop, as the shop describes them.

    The aggregates (`order_count`, `average_order_value`, `first_order_at`, `last_order_at`) are what the record itself
    states; they stand until orders say otherwise, see `users.aggregates`.
    """

    user_id: UserId
    email: EmailAddress | None = Field(None, repr=False)
    name: Text | None = Field(None, repr=False)
    preferred_categories: Annotated[tuple[Text, ...], Field(max_length=50)] = ()
    consent: bool = Field(False, description="Whether the user has agreed to be written to.")
    time_zone: TimeZoneName = "UTC"
    last_order_at: Moment | None = None
    order_count: Count | None = None
    average_order_value: Amount | None = None
    first_order_at: Moment | None = None
    created_at: Moment | None = Field(None, description="When the account was made; kept from the first write.")
    updated_at: Moment | None = Field(None, description="When the record last changed; empty: when we notice.")

    @model_validator(mode="after")
    def _stated_aggregates_agree(self) -> "User":
        if self.order_count and self.last_order_at is None:
            raise PydanticCustomError("inconsistent", "order_count states orders, but last_order_at is empty")
        if self.order_count == 0 and self.last_order_at is not None:
            raise PydanticCustomError("inconsistent", "order_count is 0, but last_order_at is given")
        if self.first_order_at and (self.last_order_at is None or self.first_order_at > self.last_order_at):
            raise PydanticCustomError("inconsistent", "first_order_at is after last_order_at, or that is empty")
        return self
