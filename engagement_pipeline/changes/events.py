"""What the stream processor (`infra/stream_processor`) publishes of each change of an item; version 1."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from engagement_pipeline.platform.errors import BadInputError

Entity = Literal["user", "order", "email", "address", "audit"]
Operation = Literal["created", "updated", "deleted"]
Item = dict[str, Any]

VERSION: Final = 1

# Pydantic's words for a fault quote the value where a rule of ours is broken, but never in its code.
_OURS: Final = "value_error"


class BadChangeError(BadInputError):
    """A message is no event, or its item none of ours; names the field and a code, never a value.

    Attributes:
        field: the first field at fault; None where the message as a whole is.
        code: a short code for the reason.
    """

    def __init__(self, field: str | None, code: str, message: str) -> None:
        self.field = field
        self.code = code
        super().__init__(f"{field}: {message}" if field else message)


class ChangeEvent(BaseModel):
    """One change of one item.

    Attributes:
        event_id: the stream's own.
        entity_id: tells the items of an entity apart; orders together with their user.
        user_id: whose; empty where it concerns nobody, or nobody alone.
        sequence: rises with every change of one item; says nothing about two items.
        occurred_at: about when, to the second.
        new: the item's attributes since then; empty where it was deleted, or where they have to be looked up.
        old: those before; empty where it was created, or where they were too much to say.
        fetch: the item was too large to be sent along: look it up.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    version: Literal[1]
    event_id: str = Field(min_length=1, max_length=256)
    entity: Entity
    operation: Operation
    entity_id: str = Field(min_length=1, max_length=2048)
    user_id: str | None = Field(None, min_length=1, max_length=2048)
    # As text, since not every reader of JSON knows numbers that long.
    sequence: int = Field(ge=0, lt=10**40)
    occurred_at: AwareDatetime
    new: Item | None = None
    old: Item | None = None
    fetch: bool = False

    def __repr__(self) -> str:
        return f"ChangeEvent({self.entity} {self.operation} {self.sequence})"

    __str__ = __repr__

    @model_validator(mode="after")
    def _says_what_is(self) -> "ChangeEvent":
        if self.operation == "deleted":
            if self.new is not None or self.fetch:
                raise ValueError("an item that was deleted has no attributes")
        elif self.fetch == (self.new is not None):
            raise ValueError("an item that is there comes with its attributes or has to be looked up")
        if self.entity == "order" and self.user_id is None:
            raise ValueError("an order has a user")
        return self

    @property
    def key(self) -> tuple[str, str, str]:
        """Which item it speaks of: sequence numbers of one item can be compared."""
        return self.entity, self.user_id or "" if self.entity == "order" else "", self.entity_id


def parse(text: str) -> ChangeEvent:
    """Read an event.

    Raises:
        BadChangeError: it is none.
    """
    try:
        return ChangeEvent.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise fault(first) from None


def fault(error: Mapping[str, Any]) -> BadChangeError:
    """Return what pydantic has found as a fault that quotes nothing."""
    place = ".".join(str(part) for part in error["loc"][:1]) or None
    kind = str(error["type"])
    if kind == "json_invalid":
        return BadChangeError(None, "not_json", "is no JSON")
    if kind == _OURS:
        return BadChangeError(place, "contradiction", str(error["msg"]).removeprefix("Value error, "))
    return BadChangeError(place, kind, f"cannot be read ({kind})")
