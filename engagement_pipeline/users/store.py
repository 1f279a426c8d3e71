"""Users and orders in the operational store; each change is logged in the transaction that makes it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa

from engagement_pipeline.platform import change_log, facts
from engagement_pipeline.platform.audit import AuditEntry, record
from engagement_pipeline.platform.change_log import Change
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users import rejects
from engagement_pipeline.users.derived import chunks, touch_columns
from engagement_pipeline.users.models import Order, User
from engagement_pipeline.users.reading import SqlUserReader, UserReader
from engagement_pipeline.users.rows import StoredUser
from engagement_pipeline.users.tables import users
from engagement_pipeline.users.writing import (
    AlreadyThereError,
    ChangedMeanwhileError,
    NotThereError,
    UnknownUserError,
    WriteCounts,
    known_among,
    remove_user,
    users_of,
    write_orders,
    write_users,
)

__all__ = [
    "AlreadyThereError",
    "AuditOfOrders",
    "ChangedMeanwhileError",
    "NotThereError",
    "SqlUserStore",
    "StoredUser",
    "Touches",
    "UnknownUserError",
    "UserReader",
    "UserStore",
    "WriteCounts",
    "record_touches",
]


AuditOfOrders = Callable[[WriteCounts], Sequence[AuditEntry]]


class UserStore(UserReader, Protocol):
    """Users and orders, with their change log."""

    def put_users(self, batch: Sequence[User], now: datetime) -> WriteCounts:
        """Write descriptions of users, each replacing what the store knew; what is the same already is left alone.

        Orders and touches of a user stay. Where an id occurs twice, the later record wins.

        Raises:
            SecretKeyChangedError: the store was made with another secret key.
        """

    def create_user(self, user: User, now: datetime, audit: AuditEntry | None = None) -> StoredUser:
        """Write a new user, with the entry.

        Raises:
            AlreadyThereError: there is one of this id; nothing was written.
            SecretKeyChangedError: the store was made with another secret key.
        """

    def change_user(self, user: User, version: int, now: datetime, audit: AuditEntry | None = None) -> StoredUser:
        """Replace what the shop says of a user; where it says the same as before, neither it nor the entry is written.

        Args:
            user: what the shop says now.
            version: the one that was looked at.
            now: the moment of the change.
            audit: who says so.

        Raises:
            NotThereError: there is no such user.
            ChangedMeanwhileError: it is of another version by now.
            SecretKeyChangedError: the store was made with another secret key.
        """

    def delete_user(
        self, user_id: str, now: datetime, *, version: int | None = None, audit: AuditEntry | None = None
    ) -> bool:
        """Delete a user with all orders, and write the entry; False where there is no such user.

        Orders that are left of a user who is gone are deleted, too.

        Args:
            user_id: which.
            now: the moment of the change.
            version: the one that was looked at; None: whatever it is.
            audit: who deletes it.

        Raises:
            ChangedMeanwhileError: it is of another version by now.
        """

    def put_orders(self, batch: Sequence[Order], now: datetime, audit: AuditOfOrders | None = None) -> WriteCounts:
        """Write orders, all or none, and bring the aggregates of their users up to date.

        Where an id occurs twice, the later record wins; an order that the store holds already changes nothing.

        Args:
            batch: the orders.
            now: the moment of the change.
            audit: makes the entries, also where nothing has changed.

        Raises:
            UnknownUserError: names every user of the batch that the store does not know.
        """

    def record_rejects(self, batch: Sequence[rejects.Reject], now: datetime) -> int:
        """Record rejected records; return how many were not known yet."""

    def remember(self, name: str, value: str) -> str:
        """Keep a small fact unless one of that name is kept already; return the one that stands."""


class SqlUserStore(SqlUserReader):
    """Users and orders in SQLite or PostgreSQL, with their change log.

    Args:
        database: the operational store, its schema up to date.
        secret_key: keys the address hashes; always the same for one store.
    """

    def __init__(self, database: Database, secret_key: str) -> None:
        super().__init__(database)
        self._secret_key = secret_key

    def put_users(self, batch: Sequence[User], now: datetime) -> WriteCounts:
        with self._database.write() as connection:
            return write_users(connection, batch, self._secret_key, now)

    def create_user(self, user: User, now: datetime, audit: AuditEntry | None = None) -> StoredUser:
        with self._database.write() as connection:
            change_log.lock(connection)
            if known_among(connection, [user.user_id]):
                raise AlreadyThereError
            write_users(connection, [user], self._secret_key, now)
            record(connection, audit)
            return users_of(connection, [user.user_id])[0]

    def change_user(self, user: User, version: int, now: datetime, audit: AuditEntry | None = None) -> StoredUser:
        with self._database.write() as connection:
            _check_version(connection, user.user_id, version)
            if write_users(connection, [user], self._secret_key, now).updated:
                record(connection, audit)
            return users_of(connection, [user.user_id])[0]

    def delete_user(
        self, user_id: str, now: datetime, *, version: int | None = None, audit: AuditEntry | None = None
    ) -> bool:
        with self._database.write() as connection:
            if version is not None:
                try:
                    _check_version(connection, user_id, version)
                except NotThereError:
                    return False
            deleted = remove_user(connection, user_id, now)
            if deleted:
                record(connection, audit)
            return deleted

    def put_orders(self, batch: Sequence[Order], now: datetime, audit: AuditOfOrders | None = None) -> WriteCounts:
        with self._database.write() as connection:
            counts = write_orders(connection, batch, now)
            for entry in audit(counts) if audit else ():
                record(connection, entry)
            return counts

    def record_rejects(self, batch: Sequence[rejects.Reject], now: datetime) -> int:
        with self._database.write() as connection:
            return rejects.record(connection, batch, now)

    def remember(self, name: str, value: str) -> str:
        with self._database.write() as connection:
            return facts.keep_first(connection, name, value)


def _check_version(connection: sa.Connection, user_id: str, version: int) -> None:
    change_log.lock(connection)
    found = users_of(connection, [user_id])
    if not found:
        raise NotThereError
    if found[0].version != version:
        raise ChangedMeanwhileError


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
