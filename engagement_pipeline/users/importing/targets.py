"""What the import does with users, and what with orders: the same steps on different tables."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engagement_pipeline.users.models import Order, User
from engagement_pipeline.users.rejects import Entity
from engagement_pipeline.users.rows import is_described_by
from engagement_pipeline.users.store import UserStore, WriteCounts


@dataclass(frozen=True)
class Target:
    """Where records of one entity go.

    Attributes:
        key: the record's id.
        stored: what the store holds of these ids.
        same: whether the store holds just this record.
        put: write records, all or none.
    """

    key: Callable[[Any], str]
    stored: Callable[[Iterable[str]], Mapping[str, Any]]
    same: Callable[[Any, Any], bool]
    put: Callable[[Sequence[Any], datetime], WriteCounts]


def target_for(store: UserStore, entity: Entity) -> Target:
    """Return where records of the entity go."""
    if entity == "user":
        return Target(
            _user_id,
            lambda ids: {user.user_id: user for user in store.get_users(ids)},
            is_described_by,
            store.put_users,
        )
    return Target(
        _order_id, lambda ids: {order.order_id: order for order in store.get_orders(ids)}, _same_order, store.put_orders
    )


def _user_id(user: User) -> str:
    return user.user_id


def _order_id(order: Order) -> str:
    return order.order_id


def _same_order(stored: Order, order: Order) -> bool:
    return stored == order
