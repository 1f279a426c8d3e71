"""Writes orders, each in one transaction with its user's aggregates.

Whatever changes an order of a user also counts up the user's version, and is refused where that has moved since the
user was read. So two writers of one user's orders never pass each other by, and none works on orders that are older
than the user: users are read first. Whose an order is stands in a table of its own, and is decided there.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from engagement_pipeline.platform.dynamodb import TRANSACT_AT_ONCE
from engagement_pipeline.platform.dynamodb_audit import audit_put
from engagement_pipeline.platform.dynamodb_tables import ORDER_OWNERS, ORDERS
from engagement_pipeline.platform.dynamodb_values import Item
from engagement_pipeline.platform.dynamodb_words import absent, equals
from engagement_pipeline.platform.dynamodb_writes import Delete, Put, Update, Write
from engagement_pipeline.platform.side_by_side import each
from engagement_pipeline.users.aggregates import aggregate
from engagement_pipeline.users.dynamodb.attributes import aggregated, aggregates_of, order_written
from engagement_pipeline.users.dynamodb.items import readable_orders
from engagement_pipeline.users.dynamodb.reading import DynamoUserReader, counted_among
from engagement_pipeline.users.models import Order
from engagement_pipeline.users.store import AuditOfOrders
from engagement_pipeline.users.writing import UnknownUserError, WriteCounts

_TRIES: Final = 60
_CROWDED: Final = "orders of the same users are written all the time"
# An order that moves takes five writes: itself, where it was, whose it is, its user and whose it was.
_ORDERS_AT_ONCE: Final = 16


@dataclass(frozen=True)
class _View:
    """What a batch of orders meets.

    Attributes:
        changed: those orders of the batch that say something new.
        users: whose they are, and whose they were.
        owners: whose orders are, by the table that decides it.
        there: the items of orders, wherever they are.
    """

    changed: Sequence[Order]
    users: Mapping[str, Item]
    owners: Mapping[str, str]
    there: Mapping[str, Sequence[Item]]

    @property
    def new(self) -> int:
        return sum(1 for order in self.changed if order.order_id not in self.there)


def write_orders(
    reader: DynamoUserReader, batch: Sequence[Order], now: datetime, entries: AuditOfOrders | None
) -> WriteCounts:
    """Write orders and bring the aggregates of their users up to date.

    All or none where they fit into one transaction, as sixteen always do; else user by user.

    Args:
        reader: the tables.
        batch: the orders; where an id occurs twice, the later one wins.
        now: the moment of the change.
        entries: makes the entries of the audit log.

    Raises:
        UnknownUserError: names every user of the batch that the store does not know; nothing was written.
    """
    latest = list({order.order_id: order for order in batch}.values())
    for _ in reader.dynamo.tries(_CROWDED, _TRIES):
        view = _look(reader, latest)
        counts = WriteCounts(view.new, len(view.changed) - view.new, len(batch) - len(view.changed))
        audit = [audit_put(entry) for entry in entries(counts)] if entries else []
        if len(view.changed) > _ORDERS_AT_ONCE:
            # Rather an entry for what was left undone than a change without one.
            reader.dynamo.write_many(audit)
            _write_by_user(reader, view.changed, now)
            break
        writes = [*_writes(reader, view, now), *audit]
        if not writes or not reader.dynamo.transact(writes):
            break
    return counts


def refresh(reader: DynamoUserReader, user_id: str, now: datetime) -> bool:
    """Bring a user's aggregates in line with orders that others have written; tell whether anything has changed."""
    for _ in reader.dynamo.tries(_CROWDED, _TRIES):
        seen = reader.items([user_id]).get(user_id)
        if seen is None:
            return False
        stored = reader.stored(seen)
        aggregates = aggregate(stored.stated, reader.counted(user_id))
        if aggregates == aggregates_of(stored):
            return False
        if not reader.dynamo.transact([aggregated(stored, seen, aggregates, now)]):
            break
    return True


def _write_by_user(reader: DynamoUserReader, orders: Sequence[Order], now: datetime) -> None:
    by_user: dict[str, list[Order]] = {}
    for order in orders:
        by_user.setdefault(order.user_id, []).append(order)

    def write(of_user: Sequence[Order]) -> None:
        for start in range(0, len(of_user), _ORDERS_AT_ONCE):
            _write_together(reader, of_user[start : start + _ORDERS_AT_ONCE], now)

    each(write, list(by_user.values()))


def _write_together(reader: DynamoUserReader, orders: Sequence[Order], now: datetime) -> None:
    for _ in reader.dynamo.tries(_CROWDED, _TRIES):
        writes = _writes(reader, _look(reader, orders), now)
        if not writes or not reader.dynamo.transact(writes):
            break


def _look(reader: DynamoUserReader, orders: Sequence[Order]) -> _View:
    """Read what these orders meet. Users come first: what is read after them belongs to them, or to a later version."""
    users = reader.items(order.user_id for order in orders)
    owners = reader.owners(order.order_id for order in orders)
    probable = reader.probable_owners(order.order_id for order in orders if order.order_id not in owners)
    keys = [
        (user_id, order.order_id)
        for order in orders
        for user_id in {order.user_id, {**probable, **owners}.get(order.order_id, order.user_id)}
    ]
    there: dict[str, list[Item]] = {}
    for item in reader.order_items(keys):
        there.setdefault(item["orderId"], []).append(item)
    changed = [order for order in orders if readable_orders(there.get(order.order_id, ())) != [order]]
    if unknown := {order.user_id for order in changed} - users.keys():
        raise UnknownUserError(unknown)
    users |= reader.items(_former(changed, there) - users.keys())
    return _View(changed, users, owners, there)


def _former(orders: Iterable[Order], there: Mapping[str, Sequence[Item]]) -> set[str]:
    return {
        item["userId"] for order in orders for item in there.get(order.order_id, ()) if item["userId"] != order.user_id
    }


def _writes(reader: DynamoUserReader, view: _View, now: datetime) -> list[Write]:
    writes: list[Write] = []
    for order in view.changed:
        seen = view.there.get(order.order_id, ())
        writes.append(order_written(order, seen, now))
        writes += [Delete(ORDERS, (item["userId"], order.order_id)) for item in seen if item["userId"] != order.user_id]
        writes += _owning(order, view.owners.get(order.order_id))
    affected = {order.user_id for order in view.changed} | _former(view.changed, view.there)
    writes += each(lambda user_id: _aggregating(reader, view, user_id, now), sorted(affected & view.users.keys()))
    return writes


def _owning(order: Order, owner: str | None) -> list[Write]:
    """Make the order its user's, unless it is: then the user's version already keeps others away."""
    item = {"orderId": order.order_id, "userId": order.user_id}
    if owner is None:
        return [Put(ORDER_OWNERS, item, absent("orderId"))]
    return [] if owner == order.user_id else [Put(ORDER_OWNERS, item, equals("userId", owner))]


def _aggregating(reader: DynamoUserReader, view: _View, user_id: str, now: datetime) -> Update:
    replaced = {order.order_id for order in view.changed}
    orders = [order for order in reader.orders_of(user_id) if order.order_id not in replaced]
    orders += [order for order in view.changed if order.user_id == user_id]
    stored = reader.stored(view.users[user_id])
    return aggregated(stored, view.users[user_id], aggregate(stored.stated, counted_among(orders)), now)


assert 5 * _ORDERS_AT_ONCE < TRANSACT_AT_ONCE  # noqa: S101
