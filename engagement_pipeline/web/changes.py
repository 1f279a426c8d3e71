"""Changes that people and programs make, each written with its entry in the audit log, in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from engagement_pipeline.platform import audit, change_log
from engagement_pipeline.users.models import Order, User
from engagement_pipeline.users.rows import StoredUser, described
from engagement_pipeline.users.writing import (
    AlreadyThereError,
    ChangedMeanwhileError,
    NotThereError,
    WriteCounts,
    remove_user,
    users_of,
    write_orders,
    write_users,
)

# So many ids of a batch stand in the audit log one by one.
_NAMED_ORDERS: Final = 20


@dataclass(frozen=True)
class By:
    """Who makes a change, in which request, and when."""

    actor: str
    request_id: str
    now: datetime

    def record(
        self, connection: sa.Connection, action: str, entity: str, entity_id: str, details: Mapping[str, Any]
    ) -> None:
        """Record the change, in its own transaction."""
        audit.record(connection, self.actor, action, entity, entity_id, details, self.now, self.request_id)


def create_user(connection: sa.Connection, user: User, secret_key: str, by: By) -> StoredUser:
    """Write a new user.

    Raises:
        AlreadyThereError: there is one.
        SecretKeyChangedError: the store was made with another secret key.
    """
    change_log.lock(connection)
    if users_of(connection, [user.user_id]):
        raise AlreadyThereError
    write_users(connection, [user], secret_key, by.now)
    given = [name for name, value in described(user).items() if value not in (None, [])]
    by.record(connection, "user.created", "user", user.user_id, {"fields": given})
    return users_of(connection, [user.user_id])[0]


def change_user(
    connection: sa.Connection, user: User, secret_key: str, by: By, version: int | None = None
) -> StoredUser:
    """Replace what the shop says of a user; where it says the same as before, nothing is written.

    Args:
        connection: a writing transaction.
        user: what the shop says now.
        secret_key: keys the address hashes.
        by: who says so.
        version: the version that was looked at; None: whatever it is.

    Raises:
        NotThereError: there is no such user.
        ChangedMeanwhileError: it is of another version.
        SecretKeyChangedError: the store was made with another secret key.
    """
    before = existing(connection, user.user_id, version)
    counts = write_users(connection, [user], secret_key, by.now)
    if counts.updated:
        old = {**vars(before), "preferred_categories": list(before.preferred_categories)}
        changed = [name for name, value in described(user).items() if old[name] != value]
        by.record(connection, "user.updated", "user", user.user_id, {"fields": changed})
    return users_of(connection, [user.user_id])[0]


def delete_user(connection: sa.Connection, user_id: str, by: By, version: int | None = None) -> None:
    """Delete a user with all orders. What was sent and reported stays; to take that away too, erase the person.

    Raises:
        NotThereError: there is no such user.
        ChangedMeanwhileError: it is of another version.
    """
    existing(connection, user_id, version)
    remove_user(connection, user_id, by.now)
    by.record(connection, "user.deleted", "user", user_id, {})


def put_orders(connection: sa.Connection, orders: Sequence[Order], by: By) -> WriteCounts:
    """Write orders, all or none.

    Raises:
        UnknownUserError: names every user that the store does not know.
    """
    counts = write_orders(connection, orders, by.now)
    if len(orders) <= _NAMED_ORDERS:
        for order in orders:
            by.record(connection, "order.written", "order", order.order_id, {})
    else:
        details = {"orders": len(orders), "created": counts.created, "updated": counts.updated}
        by.record(connection, "orders.written", "orders", "", details)
    return counts


def existing(connection: sa.Connection, user_id: str, version: int | None) -> StoredUser:
    """Return the user whom a change is meant for, locked against all other changes.

    Raises:
        NotThereError: there is no such user.
        ChangedMeanwhileError: it is of another version.
    """
    change_log.lock(connection)
    found = users_of(connection, [user_id])
    if not found:
        raise NotThereError
    if version is not None and found[0].version != version:
        raise ChangedMeanwhileError
    return found[0]
