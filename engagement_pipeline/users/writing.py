"""Writing users and orders within a transaction, so that what goes with a change can be written in the same one."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from engagement_pipeline.platform import change_log
from engagement_pipeline.platform.change_log import Change, Operation
from engagement_pipeline.platform.errors import BadInputError
from engagement_pipeline.platform.sql import upsert
from engagement_pipeline.users.addresses import address_key
from engagement_pipeline.users.aggregates import CountedOrder, Stated
from engagement_pipeline.users.derived import chunks, counted_orders, derived, refresh
from engagement_pipeline.users.keys import check_secret_key
from engagement_pipeline.users.models import Order, User
from engagement_pipeline.users.rows import StoredUser, described, is_described_by, order_row, stored_order, stored_user
from engagement_pipeline.users.searching import search_columns
from engagement_pipeline.users.tables import orders, users

_ORDER_COLUMNS = ("user_id", "ordered_at", "total_value", "item_count", "skus", "status", "updated_at")
# What an update of a user sets; touches, steps and the date of creation stay.
_DESCRIPTION_COLUMNS = (
    "email",
    "address_key",
    "name",
    "search_name",
    "search_surname",
    "preferred_categories",
    "consent",
    "time_zone",
    "stated_order_count",
    "stated_average_order_value",
    "stated_first_order_at",
    "stated_last_order_at",
    "order_count",
    "order_days",
    "average_order_value",
    "first_order_at",
    "last_order_at",
    "touches_since_order",
    "version",
    "updated_at",
)


class UnknownUserError(BadInputError):
    """Orders name users that the store does not know; nothing of the batch was written."""

    def __init__(self, user_ids: Iterable[str]) -> None:
        self.user_ids = frozenset(user_ids)
        super().__init__(f"orders of unknown users: {', '.join(sorted(self.user_ids)[:10])}")


class AlreadyThereError(Exception):
    """There is a user of this id."""


class NotThereError(Exception):
    """There is no user of this id."""


class ChangedMeanwhileError(Exception):
    """The user is not of the version that the change was meant for."""


@dataclass(frozen=True)
class WriteCounts:
    """What became of the records of a batch. One that a later one of the same id overtakes counts as unchanged."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0

    def __add__(self, other: "WriteCounts") -> "WriteCounts":
        return WriteCounts(self.created + other.created, self.updated + other.updated, self.unchanged + other.unchanged)


def write_users(connection: sa.Connection, batch: Sequence[User], secret_key: str, now: datetime) -> WriteCounts:
    """Write descriptions of users, in a writing transaction; see `SqlUserStore.put_users`."""
    latest = {user.user_id: user for user in batch}
    change_log.lock(connection)
    check_secret_key(connection, secret_key)
    existing = {user.user_id: user for user in users_of(connection, latest)}
    changed = [user for user in latest.values() if not is_described_by(existing.get(user.user_id), user)]
    counted = counted_orders(connection, [user.user_id for user in changed if user.user_id in existing])
    rows = [_row(user, existing.get(user.user_id), counted.get(user.user_id, ()), secret_key, now) for user in changed]
    upsert(connection, users, rows, _DESCRIPTION_COLUMNS)
    operations = _operations((user.user_id for user in changed), existing)
    change_log.append(connection, [Change("user", key, key, done) for key, done in operations], now)
    return _counts(len(batch), operations)


def write_orders(connection: sa.Connection, batch: Sequence[Order], now: datetime) -> WriteCounts:
    """Write orders, all or none, in a writing transaction; see `SqlUserStore.put_orders`.

    Raises:
        UnknownUserError: names every user of the batch that the store does not know.
    """
    latest = {order.order_id: order for order in batch}
    change_log.lock(connection)
    existing = {order.order_id: order for order in orders_by_id(connection, latest)}
    changed = [order for order in latest.values() if existing.get(order.order_id) != order]
    owners = {order.user_id for order in changed}
    if unknown := owners - known_among(connection, owners):
        raise UnknownUserError(unknown)
    upsert_orders(connection, changed, now)
    moved = [
        existing[order.order_id]
        for order in changed
        if order.order_id in existing and existing[order.order_id].user_id != order.user_id
    ]
    refresh(connection, sorted(owners | {order.user_id for order in moved}), now)
    operations = _operations((order.order_id for order in changed), existing)
    log = [Change("order", key, latest[key].user_id, done) for key, done in operations]
    # Whoever held the order before has changed as well.
    log.extend(Change("order", order.order_id, order.user_id, "updated") for order in moved)
    change_log.append(connection, log, now)
    return _counts(len(batch), operations)


def upsert_orders(connection: sa.Connection, batch: Sequence[Order], now: datetime) -> None:
    """Write orders' rows and nothing that goes with them."""
    upsert(connection, orders, [order_row(order, now) for order in batch], _ORDER_COLUMNS)


def remove_user(connection: sa.Connection, user_id: str, now: datetime) -> bool:
    """Delete a user with all orders, also those left of one who is gone; False where there is no such user."""
    change_log.lock(connection)
    connection.execute(sa.delete(orders).where(orders.c.user_id == user_id))
    if not connection.execute(sa.delete(users).where(users.c.user_id == user_id)).rowcount:
        return False
    change_log.append(connection, [Change("user", user_id, user_id, "deleted")], now)
    return True


def users_of(connection: sa.Connection, user_ids: Iterable[str]) -> list[StoredUser]:
    """Return the users of these ids that there are, in no particular order."""
    found: list[StoredUser] = []
    for chunk in chunks(user_ids):
        found.extend(map(stored_user, connection.execute(sa.select(users).where(users.c.user_id.in_(chunk)))))
    return found


def orders_by_id(connection: sa.Connection, order_ids: Iterable[str]) -> list[Order]:
    """Return the orders of these ids that there are, in no particular order."""
    found: list[Order] = []
    for chunk in chunks(order_ids):
        found.extend(map(stored_order, connection.execute(sa.select(orders).where(orders.c.order_id.in_(chunk)))))
    return found


def known_among(connection: sa.Connection, user_ids: Iterable[str]) -> set[str]:
    """Return those of the ids that belong to a user."""
    known: set[str] = set()
    for chunk in chunks(user_ids):
        known.update(connection.execute(sa.select(users.c.user_id).where(users.c.user_id.in_(chunk))).scalars())
    return known


def _row(
    user: User, stored: StoredUser | None, counted: Iterable[CountedOrder], secret_key: str, now: datetime
) -> dict[str, Any]:
    stated = Stated(user.order_count, user.average_order_value, user.first_order_at, user.last_order_at)
    return {
        "user_id": user.user_id,
        **described(user),
        **search_columns(user.name)._asdict(),
        "address_key": None if user.email is None else address_key(user.email, secret_key),
        **derived(stated, counted, stored.touched_at if stored else ()),
        "version": stored.version + 1 if stored else 1,
        "created_at": user.created_at or now,
        "updated_at": user.updated_at or now,
        # Not among the columns that an update sets: an existing row keeps its own.
        "touched_at": [],
        "steps": 0,
    }


def _operations(keys: Iterable[str], existing: Container[str]) -> list[tuple[str, Operation]]:
    return [(key, "updated" if key in existing else "created") for key in keys]


def _counts(batch: int, operations: Sequence[tuple[str, Operation]]) -> WriteCounts:
    updated = sum(1 for _, done in operations if done == "updated")
    return WriteCounts(len(operations) - updated, updated, batch - len(operations))
