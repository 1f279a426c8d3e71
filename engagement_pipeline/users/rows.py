"""How users and orders lie in the operational store's rows, and back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from engagement_pipeline.users.aggregates import Stated
from engagement_pipeline.users.models import Order, OrderStatus, User
from engagement_pipeline.users.searching import SearchColumns

_SEARCHED = frozenset(SearchColumns._fields)


@dataclass(frozen=True)
class StoredUser:
    """A user as the operational store holds it: one field per column of the `users` table that says something new.

    The representation leaves out who the user is, so that it may appear in a log.

    Attributes:
        as_read: what decides about the user, as it stands in a table to which the shop may write without counting
            versions. Empty where it cannot.
    """

    user_id: str
    email: str | None
    address_key: str | None
    name: str | None
    preferred_categories: tuple[str, ...]
    consent: bool
    time_zone: str
    stated_order_count: int | None
    stated_average_order_value: float | None
    stated_first_order_at: datetime | None
    stated_last_order_at: datetime | None
    order_count: int
    order_days: int
    average_order_value: float
    first_order_at: datetime | None
    last_order_at: datetime | None
    touched_at: tuple[datetime, ...]
    steps: int
    last_email_at: datetime | None
    last_touch_at: datetime | None
    touches_since_order: int
    version: int
    created_at: datetime
    updated_at: datetime
    as_read: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __repr__(self) -> str:
        return f"StoredUser(user_id={self.user_id!r}, version={self.version})"

    @property
    def stated(self) -> Stated:
        """What the user record itself says of its orders."""
        return Stated(
            self.stated_order_count,
            self.stated_average_order_value,
            self.stated_first_order_at,
            self.stated_last_order_at,
        )


def stored_user(row: sa.Row[Any]) -> StoredUser:
    """Read a row of the `users` table."""
    values: dict[str, Any] = {name: value for name, value in row._mapping.items() if name not in _SEARCHED}
    values["preferred_categories"] = tuple(values["preferred_categories"])
    values["touched_at"] = tuple(datetime.fromisoformat(moment) for moment in values["touched_at"])
    return StoredUser(**values)


def stored_order(row: sa.Row[Any]) -> Order:
    """Read a row of the `orders` table, which holds validated orders only."""
    return Order.model_construct(
        order_id=row.order_id,
        user_id=row.user_id,
        ordered_at=row.ordered_at,
        total_value=row.total_value,
        item_count=row.item_count,
        skus=tuple(row.skus or ()),
        status=OrderStatus(row.status),
    )


def described(user: User) -> dict[str, Any]:
    """Return the columns that the shop's description of a user decides, without the address key."""
    return {
        "email": user.email,
        "name": user.name,
        "preferred_categories": list(user.preferred_categories),
        "consent": user.consent,
        "time_zone": user.time_zone,
        "stated_order_count": user.order_count,
        "stated_average_order_value": user.average_order_value,
        "stated_first_order_at": user.first_order_at,
        "stated_last_order_at": user.last_order_at,
    }


def is_described_by(stored: StoredUser | None, user: User) -> bool:
    """Whether writing the user would change nothing; when the record was made or changed does not matter."""
    if stored is None:
        return False
    description = described(user) | {"preferred_categories": user.preferred_categories}
    return all(getattr(stored, name) == value for name, value in description.items())


def order_row(order: Order, now: datetime) -> dict[str, Any]:
    """Return an order's row."""
    return {
        "order_id": order.order_id,
        "user_id": order.user_id,
        "ordered_at": order.ordered_at,
        "total_value": order.total_value,
        "item_count": order.item_count,
        "skus": list(order.skus) or None,
        "status": order.status.value,
        "updated_at": now,
    }
