"""Reading users and orders as they are now, whatever store they lie in: what decides reads here.

Lists and searches read the SQL tables.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Protocol

import sqlalchemy as sa

from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.derived import chunks
from engagement_pipeline.users.models import Order
from engagement_pipeline.users.rows import StoredUser, stored_order
from engagement_pipeline.users.tables import orders, users
from engagement_pipeline.users.writing import known_among, orders_by_id, users_of


class UserReader(Protocol):
    """Users and orders as they are now."""

    def get_user(self, user_id: str) -> StoredUser | None:
        """Return a user, or None."""

    def get_users(self, user_ids: Iterable[str]) -> list[StoredUser]:
        """Return the users of these ids that the store knows, in no particular order."""

    def user_ids_at(self, address_keys: Iterable[str]) -> Mapping[str, frozenset[str]]:
        """Return who has each of these addresses now; addresses of nobody are absent."""

    def get_orders(self, order_ids: Iterable[str]) -> list[Order]:
        """Return the orders of these ids that the store knows, in no particular order."""

    def orders_of(self, user_id: str) -> list[Order]:
        """Return a user's orders of every status, oldest first."""

    def known_user_ids(self, user_ids: Iterable[str]) -> set[str]:
        """Return those of the ids that belong to a user."""


class SqlUserReader:
    """Reads users and orders from SQLite or PostgreSQL.

    Args:
        database: the operational store, its schema up to date.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def get_user(self, user_id: str) -> StoredUser | None:
        found = self.get_users([user_id])
        return found[0] if found else None

    def get_users(self, user_ids: Iterable[str]) -> list[StoredUser]:
        with self._database.read() as connection:
            return users_of(connection, user_ids)

    def user_ids_at(self, address_keys: Iterable[str]) -> Mapping[str, frozenset[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        with self._database.read() as connection:
            for chunk in chunks(address_keys):
                there = sa.select(users.c.address_key, users.c.user_id).where(users.c.address_key.in_(chunk))
                for address_key, user_id in connection.execute(there):
                    found[address_key].add(user_id)
        return {address_key: frozenset(user_ids) for address_key, user_ids in found.items()}

    def get_orders(self, order_ids: Iterable[str]) -> list[Order]:
        with self._database.read() as connection:
            return orders_by_id(connection, order_ids)

    def orders_of(self, user_id: str) -> list[Order]:
        query = sa.select(orders).where(orders.c.user_id == user_id).order_by(orders.c.ordered_at, orders.c.order_id)
        with self._database.read() as connection:
            return [stored_order(row) for row in connection.execute(query)]

    def known_user_ids(self, user_ids: Iterable[str]) -> set[str]:
        with self._database.read() as connection:
            return known_among(connection, user_ids)
