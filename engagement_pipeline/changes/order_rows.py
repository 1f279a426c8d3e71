"""Orders as their items say. An item belongs to a user, a row to an order: one that moves is two items and one row."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

import sqlalchemy as sa

from engagement_pipeline.changes.reading import Reading
from engagement_pipeline.platform.change_log import Change, Operation
from engagement_pipeline.users.derived import chunks
from engagement_pipeline.users.models import Order
from engagement_pipeline.users.tables import orders
from engagement_pipeline.users.writing import orders_by_id, upsert_orders

# Given the users and ids of orders, returns those that there are now, the newest of each id.
LookUp = Callable[[Collection[tuple[str, str]]], Sequence[Order]]


def write(
    connection: sa.Connection, readings: Sequence[Reading[Order]], look_up: LookUp, now: datetime
) -> list[Change]:
    """Bring orders' rows in line, in a writing transaction; return what has changed by that.

    Users need not be known: the two come in any order.
    """
    stored = {order.order_id: order for order in orders_by_id(connection, {each.event.entity_id for each in readings})}
    there, disputed = _claimed(readings, stored)
    there |= {order.order_id: order for order in look_up(disputed)} if disputed else {}
    gone = {
        reading.event.entity_id
        for reading in readings
        if reading.row is None and _owner(stored, reading.event.entity_id) == reading.event.user_id
    } - there.keys()
    changed = [order for order in there.values() if stored.get(order.order_id) != order]
    upsert_orders(connection, changed, now)
    for chunk in chunks(gone):
        connection.execute(sa.delete(orders).where(orders.c.order_id.in_(chunk)))
    changes = [_written(order, stored) for order in changed]
    # Whoever held an order before has changed as well.
    moved = [order for order in changed if _owner(stored, order.order_id) not in (None, order.user_id)]
    changes += [_change(stored[order.order_id], "updated") for order in moved]
    return changes + [_change(stored[order_id], "deleted") for order_id in sorted(gone)]


def _claimed(
    readings: Sequence[Reading[Order]], stored: dict[str, Order]
) -> tuple[dict[str, Order], set[tuple[str, str]]]:
    """Tell orders of one user from those of which several are known: events do not say who had them last."""
    there: dict[str, Order] = {}
    disputed: set[tuple[str, str]] = set()
    for order in (reading.row for reading in readings if reading.row is not None):
        others = {_owner(stored, order.order_id), _owner(there, order.order_id)} - {None, order.user_id}
        disputed |= {(str(user_id), order.order_id) for user_id in others}
        if others:
            disputed.add((order.user_id, order.order_id))
        there[order.order_id] = order
    for _, order_id in disputed:
        there.pop(order_id, None)
    return there, disputed


def _owner(known: dict[str, Order], order_id: str) -> str | None:
    order = known.get(order_id)
    return None if order is None else order.user_id


def _written(order: Order, stored: dict[str, Order]) -> Change:
    return _change(order, "updated" if order.order_id in stored else "created")


def _change(order: Order, operation: Operation) -> Change:
    return Change("order", order.order_id, order.user_id, operation)
