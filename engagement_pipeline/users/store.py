"""Users and orders in the operational store; each change is logged in the transaction that makes it."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from engagement_pipeline.platform import change_log, facts
from engagement_pipeline.platform.change_log import Change, Operation
from engagement_pipeline.platform.errors import BadInputError
from engagement_pipeline.platform.sql import Database, upsert
from engagement_pipeline.users import rejects
from engagement_pipeline.users.addresses import address_key
from engagement_pipeline.users.aggregates import CountedOrder, Stated
from engagement_pipeline.users.derived import chunks, counted_orders, derived, refresh, touch_columns
from engagement_pipeline.users.keys import check_secret_key
from engagement_pipeline.users.models import Order, User
from engagement_pipeline.users.rows import (
    StoredUser,
    described,
    is_described_by,
    order_row,
    stored_order,
    stored_user,
)
from engagement_pipeline.users.searching import search_columns
from engagement_pipeline.users.tables import orders, users

__all__ = ["SqlUserStore", "StoredUser", "Touches", "UnknownUserError", "WriteCounts", "record_touches", "remove_user"]

_ORDER_COLUMNS = ("user_id", "ordered_at", "total_value", "item_count", "status", "updated_at")
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


@dataclass(frozen=True)
class WriteCounts:
    """What became of the records of a batch. One that a later one of the same id overtakes counts as unchanged."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0

    def __add__(self, other: "WriteCounts") -> "WriteCounts":
        return WriteCounts(self.created + other.created, self.updated + other.updated, self.unchanged + other.unchanged)


class SqlUserStore:
    """Users and orders, with their change log.

    Args:
        database: the operational store, its schema up to date.
        secret_key: keys the address hashes; always the same for one store.
    """

    def __init__(self, database: Database, secret_key: str) -> None:
        self._database = database
        self._secret_key = secret_key

    def put_users(self, batch: Sequence[User], now: datetime) -> WriteCounts:
        """Write descriptions of users, each replacing what the store knew; what is the same already is left alone.

        Orders and touches of a user stay. Where an id occurs twice, the later record wins.

        Raises:
            SecretKeyChangedError: the store was made with another secret key.
        """
        latest = {user.user_id: user for user in batch}
        with self._database.write() as connection:
            change_log.lock(connection)
            check_secret_key(connection, self._secret_key)
            existing = {user.user_id: user for user in _users(connection, latest)}
            changed = [user for user in latest.values() if not is_described_by(existing.get(user.user_id), user)]
            counted = counted_orders(connection, [user.user_id for user in changed if user.user_id in existing])
            rows = [self._row(user, existing.get(user.user_id), counted.get(user.user_id, ()), now) for user in changed]
            upsert(connection, users, rows, _DESCRIPTION_COLUMNS)
            operations = _operations((user.user_id for user in changed), existing)
            change_log.append(connection, [Change("user", key, key, done) for key, done in operations], now)
        return _counts(len(batch), operations)

    def put_orders(self, batch: Sequence[Order], now: datetime) -> WriteCounts:
        """Write orders, all or none, and bring the aggregates of their users up to date.

        Where an id occurs twice, the later record wins; an order that the store holds already changes nothing.

        Raises:
            UnknownUserError: names every user of the batch that the store does not know.
        """
        latest = {order.order_id: order for order in batch}
        with self._database.write() as connection:
            change_log.lock(connection)
            existing = {order.order_id: order for order in _orders(connection, latest)}
            changed = [order for order in latest.values() if existing.get(order.order_id) != order]
            owners = {order.user_id for order in changed}
            if unknown := owners - _known(connection, owners):
                raise UnknownUserError(unknown)
            upsert(connection, orders, [order_row(order, now) for order in changed], _ORDER_COLUMNS)
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

    def delete_user(self, user_id: str, now: datetime) -> bool:
        """Delete a user with all orders; False where there is none."""
        with self._database.write() as connection:
            return remove_user(connection, user_id, now)

    def get_user(self, user_id: str) -> StoredUser | None:
        """Return a user, or None."""
        found = self.get_users([user_id])
        return found[0] if found else None

    def get_users(self, user_ids: Iterable[str]) -> list[StoredUser]:
        """Return the users of these ids that the store knows, in no particular order."""
        with self._database.read() as connection:
            return _users(connection, user_ids)

    def get_orders(self, order_ids: Iterable[str]) -> list[Order]:
        """Return the orders of these ids that the store knows, in no particular order."""
        with self._database.read() as connection:
            return _orders(connection, order_ids)

    def orders_of(self, user_id: str) -> list[Order]:
        """Return a user's orders of every status, oldest first."""
        query = sa.select(orders).where(orders.c.user_id == user_id).order_by(orders.c.ordered_at, orders.c.order_id)
        with self._database.read() as connection:
            return [stored_order(row) for row in connection.execute(query)]

    def known_user_ids(self, user_ids: Iterable[str]) -> set[str]:
        """Return those of the ids that belong to a user."""
        with self._database.read() as connection:
            return _known(connection, user_ids)

    def record_rejects(self, batch: Sequence[rejects.Reject], now: datetime) -> int:
        """Record rejected records; return how many were not known yet."""
        with self._database.write() as connection:
            return rejects.record(connection, batch, now)

    def remember(self, name: str, value: str) -> str:
        """Keep a small fact unless one of that name is kept already; return the one that stands."""
        with self._database.write() as connection:
            return facts.keep_first(connection, name, value)

    def _row(
        self, user: User, stored: StoredUser | None, counted: Iterable[CountedOrder], now: datetime
    ) -> dict[str, Any]:
        stated = Stated(user.order_count, user.average_order_value, user.first_order_at, user.last_order_at)
        return {
            "user_id": user.user_id,
            **described(user),
            **search_columns(user.name)._asdict(),
            "address_key": None if user.email is None else address_key(user.email, self._secret_key),
            **derived(stated, counted, stored.touched_at if stored else ()),
            "version": stored.version + 1 if stored else 1,
            "created_at": user.created_at or now,
            "updated_at": user.updated_at or now,
            # Not among the columns that an update sets: an existing row keeps its own.
            "touched_at": [],
            "steps": 0,
        }


def remove_user(connection: sa.Connection, user_id: str, now: datetime) -> bool:
    """Delete a user with all orders, in a writing transaction; False where there is none."""
    change_log.lock(connection)
    if not connection.execute(sa.delete(users).where(users.c.user_id == user_id)).rowcount:
        return False
    connection.execute(sa.delete(orders).where(orders.c.user_id == user_id))
    change_log.append(connection, [Change("user", user_id, user_id, "deleted")], now)
    return True


@dataclass(frozen=True)
class Touches:
    """What the ledger says of one user.

    Attributes:
        touched_at: all moments of e-mails sent and hold-out decisions; the newest 20 are kept.
        last_email_at: the newest real e-mail, or None.
        steps: number of the user's closed ledger rows.
    """

    user_id: str
    touched_at: Sequence[datetime]
    last_email_at: datetime | None
    steps: int


def record_touches(connection: sa.Connection, batch: Sequence[Touches], now: datetime) -> None:
    """Write users' touches and what follows from them, in the caller's writing transaction.

    Users deleted in the meantime are passed over: there is nothing left to protect. Where the transaction also locks
    other rows, call `change_log.lock` first.
    """
    change_log.lock(connection)
    last_order_at: dict[str, datetime | None] = {}
    for chunk in chunks(touches.user_id for touches in batch):
        query = sa.select(users.c.user_id, users.c.last_order_at).where(users.c.user_id.in_(chunk))
        last_order_at.update((row.user_id, row.last_order_at) for row in connection.execute(query))
    rows = [
        {
            "p_user_id": touches.user_id,
            **touch_columns(touches.touched_at, last_order_at[touches.user_id]),
            "last_email_at": touches.last_email_at,
            "steps": touches.steps,
            "updated_at": now,
        }
        for touches in batch
        if touches.user_id in last_order_at
    ]
    if rows:
        connection.execute(_TOUCH, rows)
    change_log.append(connection, [Change("touch", row["p_user_id"], row["p_user_id"], "updated") for row in rows], now)


_TOUCH = (
    sa.update(users)
    .where(users.c.user_id == sa.bindparam("p_user_id"))
    .values(
        version=users.c.version + 1,
        **{
            name: sa.bindparam(name)
            for name in ("touched_at", "last_touch_at", "touches_since_order", "last_email_at", "steps", "updated_at")
        },
    )
)


def _users(connection: sa.Connection, user_ids: Iterable[str]) -> list[StoredUser]:
    found: list[StoredUser] = []
    for chunk in chunks(user_ids):
        found.extend(map(stored_user, connection.execute(sa.select(users).where(users.c.user_id.in_(chunk)))))
    return found


def _orders(connection: sa.Connection, order_ids: Iterable[str]) -> list[Order]:
    found: list[Order] = []
    for chunk in chunks(order_ids):
        found.extend(map(stored_order, connection.execute(sa.select(orders).where(orders.c.order_id.in_(chunk)))))
    return found


def _known(connection: sa.Connection, user_ids: Iterable[str]) -> set[str]:
    known: set[str] = set()
    for chunk in chunks(user_ids):
        known.update(connection.execute(sa.select(users.c.user_id).where(users.c.user_id.in_(chunk))).scalars())
    return known


def _operations(keys: Iterable[str], existing: Container[str]) -> list[tuple[str, Operation]]:
    return [(key, "updated" if key in existing else "created") for key in keys]


def _counts(batch: int, operations: Sequence[tuple[str, Operation]]) -> WriteCounts:
    updated = sum(1 for _, done in operations if done == "updated")
    return WriteCounts(len(operations) - updated, updated, batch - len(operations))
