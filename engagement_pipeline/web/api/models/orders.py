"""Orders, as the API takes and gives them."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field

from engagement_pipeline.users.models import MAX_SKUS
from engagement_pipeline.web.api.models.common import Count, Given, Identifier, Moment, Score, Sku, Taken
from engagement_pipeline.web.api.models.users import Amount

Status = Literal["created", "processing", "shipped", "delivered", "cancelled", "returned"]

EXAMPLE: Final[dict[str, Any]] = {
    "order_id": "o-77310",
    "user_id": "c-1042",
    "ordered_at": "2026-03-01T12:00:00Z",
    "total_value": 59.9,
    "item_count": 2,
    "skus": ["DR-101", "AC-801"],
    "status": "created",
}


class OrderFields(Taken):
    """A purchase. One of the same id replaces what was known of it."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    order_id: Identifier
    user_id: Identifier
    ordered_at: Moment
    total_value: Amount = Field(description="What was paid, in the shop's currency; rounded to cents.")
    item_count: Count = 1
    skus: Annotated[list[Sku], Field(max_length=MAX_SKUS)] = Field(
        [], description="What was bought, by the catalogue's numbers: an e-mail may name what it knows of these."
    )
    status: Status = Field("delivered", description="Cancelled and returned orders count for nothing.")


class OrderBatch(Taken):
    """Many orders at once; of several with one id the last counts."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"orders": [EXAMPLE]}]})

    orders: Annotated[list[OrderFields], Field(min_length=1, max_length=10_000)]


class OrderAnswer(Given):
    """An order."""

    order_id: str
    user_id: str
    ordered_at: datetime
    total_value: float
    item_count: int
    skus: list[str]
    status: Status


class UserScore(Given):
    """A user's score, as computed for this answer."""

    user_id: str
    score: Score | None
    why_no_score: str | None


class OrderWritten(Given):
    """What became of an order, and of its user's score."""

    result: Literal["created", "updated", "unchanged"]
    order: OrderAnswer
    user: UserScore


class BatchWritten(Given):
    """What became of a batch, and of its users' scores."""

    created: int
    updated: int
    unchanged: int
    users: list[UserScore]
