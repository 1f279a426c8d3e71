"""Types that several resources share. Strict: JSON has its own types, and a value of another one is an error."""

import re
from datetime import date, datetime, timezone
from typing import Annotated, Any, Final, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from engagement_pipeline.users.models import MAX_COUNT

T = TypeVar("T")

# No line breaks nor other control characters, and no blank at either end.
_SIGN: Final = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]"
_INK: Final = r"[^\s\x00-\x1f\x7f-\x9f\u2028\u2029]"
_ONE_LINE: Final = rf"^{_SIGN}+$"
_TRIMMED: Final = rf"^{_INK}({_SIGN}*{_INK})?$"

_RFC_3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_FIRST_YEAR: Final = 1900
_LAST_YEAR: Final = 9998


class Taken(BaseModel):
    """The base of what is sent to us."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)


class Given(BaseModel):
    """The base of what we answer with."""

    model_config = ConfigDict(from_attributes=True)


class NoQuery(Taken):
    """Of a path that takes no query parameters."""


def _only_rfc_3339(value: object) -> object:
    if not isinstance(value, str) or not _RFC_3339.fullmatch(value):
        raise PydanticCustomError("not_a_moment", "is not a moment such as 2026-03-01T12:00:00Z, with a time zone")
    # What follows the millionth of a second is nothing that a store could keep.
    return re.sub(r"(\.\d{6})\d+", r"\1", value).upper()


def _in_range(value: datetime) -> datetime:
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        raise PydanticCustomError("date_out_of_range", f"is before {_FIRST_YEAR} or after {_LAST_YEAR}")
    return value.astimezone(timezone.utc)


Moment = Annotated[
    datetime,
    Field(strict=False),
    BeforeValidator(_only_rfc_3339),
    AfterValidator(_in_range),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-03-01T12:00:00Z"]}),
]
Sku = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=_TRIMMED)]
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=_TRIMMED)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_ONE_LINE)]
Code = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]
Note = Annotated[str, StringConstraints(max_length=200, pattern=rf"^{_SIGN}*$")]
Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]


class Listed(BaseModel):
    """How every list is read."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    limit: int = Field(50, ge=1, le=200, description="Most items of the page. There may be fewer before the last page.")
    cursor: str | None = Field(
        None,
        max_length=2000,
        pattern=r"^[A-Za-z0-9_-]+$",
        description="Where to go on: from the `next` of the page before, with the same filters.",
    )

    def filters(self) -> dict[str, Any]:
        """Return what narrows the list down or orders it."""
        return self.model_dump(exclude={"limit", "cursor"}, exclude_none=True, mode="json")


class Page(Given, Generic[T]):
    """A page of a list."""

    items: list[T]
    next: str | None = Field(description="The address of the next page; null on the last one.")


class Score(Given):
    """How likely the user is to order again, of 100; 50 means even odds within the horizon."""

    score: float = Field(ge=0, le=100, examples=[41.7])
    band: str = Field(examples=["at_risk"], description="critical, at_risk, moderate or good.")


class Contribution(Given):
    """What one factor adds to the score (points above 0), or takes from it."""

    factor: str
    points: float
    sentence: str


class ExplainedScore(Score):
    """The score as computed for this answer, and where it comes from."""

    start: float = Field(description="The score of a user with one typical order, placed today.")
    contributions: list[Contribution] = Field(description="Their points, added to `start`, make the score.")
    below_from: date | None = Field(
        description="From this day on the score stays below the threshold if nothing happens.",
    )
    sentences: list[str] = Field(description="All of it in words.")
