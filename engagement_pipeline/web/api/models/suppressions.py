"""Suppressions, as the API takes and gives them."""

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from engagement_pipeline.web.api.models.common import Given, Listed, Taken

ReasonCode = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_]{0,31}$")]
SourceCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$")]
AddressKey = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class SuppressionQuery(Listed):
    """Which entries; the newest come first."""

    reason: ReasonCode | None = None
    source: SourceCode | None = None


class SuppressionAnswer(Given):
    """An address that must never be written to, by its key."""

    address_key: str
    reason: str
    source: str
    suppressed_at: datetime


class NewSuppression(Taken):
    """An address, or its key, that must never be written to again."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"address": "ada@example.com", "reason": "manual"}]})

    address: Annotated[str, StringConstraints(min_length=1, max_length=320)] = Field(
        description="An address in any spelling, or its key."
    )
    reason: ReasonCode = "manual"


class Lookup(Taken):
    """An address to look for: in the body, so that it is in no log."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"address": "ada@example.com"}]})

    address: Annotated[str, StringConstraints(min_length=1, max_length=320)]


class LookedUp(Given):
    """Whether an address must not be written to."""

    address_key: str
    suppression: SuppressionAnswer | None


class Imported(Given):
    """What became of a file's lines: `read = added + known + rejected`."""

    read: int
    added: int
    known: int
    rejected: int
    foreign_keys: int = Field(description="Lines whose key is not that of their address: from another store.")
