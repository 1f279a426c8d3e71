"""Reads users and orders from DynamoDB's tables as they are now."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

import sqlalchemy as sa

from engagement_pipeline.platform.dynamodb import Dynamo
from engagement_pipeline.platform.dynamodb_tables import ORDER_OWNERS, ORDERS, USERS
from engagement_pipeline.platform.dynamodb_values import Item
from engagement_pipeline.platform.dynamodb_words import equals
from engagement_pipeline.platform.dynamodb_writes import is_possible
from engagement_pipeline.platform.side_by_side import each
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.aggregates import CountedOrder
from engagement_pipeline.users.derived import chunks
from engagement_pipeline.users.dynamodb.items import is_derived, readable_orders, stored_user_of
from engagement_pipeline.users.models import Order
from engagement_pipeline.users.rows import StoredUser
from engagement_pipeline.users.tables import orders as order_rows
from engagement_pipeline.users.tables import users as user_rows

_ADDRESS_INDEX: Final = "address"


class DynamoUserReader:
    """Users and orders.

    Args:
        dynamo: the tables.
        database: the read model. It helps to find what no key leads to, and what it says is looked up in the tables.
        secret_key: keys the address hashes.
        consent_when_missing: whether a user of whom the table says nothing has agreed to be written to.
    """

    def __init__(
        self, dynamo: Dynamo, database: Database, secret_key: str, *, consent_when_missing: bool = False
    ) -> None:
        self.dynamo = dynamo
        self.secret_key = secret_key
        self._database = database
        self._consent_when_missing = consent_when_missing

    def get_user(self, user_id: str) -> StoredUser | None:
        found = self.get_users([user_id])
        return found[0] if found else None

    def get_users(self, user_ids: Iterable[str]) -> list[StoredUser]:
        return each(self.stored, list(self.items(user_ids).values()))

    def user_ids_at(self, address_keys: Iterable[str]) -> Mapping[str, frozenset[str]]:
        wanted = set(address_keys)
        candidates = {user_id for found in each(self._indexed_at, sorted(wanted)) for user_id in found}
        # Items that only the shop has written are in no index of ours.
        for chunk in chunks(wanted):
            query = sa.select(user_rows.c.user_id).where(user_rows.c.address_key.in_(chunk))
            with self._database.read() as connection:
                candidates.update(connection.execute(query).scalars())
        found: dict[str, set[str]] = defaultdict(set)
        for item in self.items(candidates).values():
            key = stored_user_of(item, self.secret_key).address_key
            if key in wanted:
                found[key].add(item["userId"])
        return {key: frozenset(user_ids) for key, user_ids in found.items()}

    def get_orders(self, order_ids: Iterable[str]) -> list[Order]:
        ids = list(dict.fromkeys(order_ids))
        owners = self.owners(ids)
        owners |= self.probable_owners(order_id for order_id in ids if order_id not in owners)
        return readable_orders(self.order_items((user_id, order_id) for order_id, user_id in owners.items()))

    def orders_of(self, user_id: str) -> list[Order]:
        if not is_possible((user_id,)):
            return []
        found = readable_orders(self.dynamo.query(ORDERS, equals("userId", user_id)))
        return sorted(found, key=lambda order: (order.ordered_at, order.order_id))

    def known_user_ids(self, user_ids: Iterable[str]) -> set[str]:
        found = self.dynamo.get_many(USERS, ((user_id,) for user_id in user_ids), ("userId",))
        return {item["userId"] for item in found}

    def items(self, user_ids: Iterable[str]) -> dict[str, Item]:
        """Return the items of these users, by their ids; those that are not there are absent."""
        found = self.dynamo.get_many(USERS, ((user_id,) for user_id in user_ids))
        return {item["userId"]: item for item in found}

    def stored(self, item: Item) -> StoredUser:
        """Return a user as the store knows it, with orders that the item's aggregates may not hold."""
        counted = () if is_derived(item) else self.counted(item["userId"])
        return stored_user_of(item, self.secret_key, consent_when_missing=self._consent_when_missing, counted=counted)

    def counted(self, user_id: str) -> list[CountedOrder]:
        """Return a user's orders that count."""
        return counted_among(self.orders_of(user_id))

    def owners(self, order_ids: Iterable[str]) -> dict[str, str]:
        """Return whose these orders are, as far as it was us who wrote them."""
        found = self.dynamo.get_many(ORDER_OWNERS, ((order_id,) for order_id in order_ids))
        return {item["orderId"]: item["userId"] for item in found}

    def order_items(self, keys: Iterable[tuple[str, str]]) -> list[Item]:
        """Return the items of orders with these ids of users and orders."""
        return self.dynamo.get_many(ORDERS, keys)

    def probable_owners(self, order_ids: Iterable[str]) -> dict[str, str]:
        """Return whose these orders are that others have written, as far as the read model knows."""
        found: dict[str, str] = {}
        for chunk in chunks(order_ids):
            query = sa.select(order_rows.c.order_id, order_rows.c.user_id).where(order_rows.c.order_id.in_(chunk))
            with self._database.read() as connection:
                found.update((row.order_id, row.user_id) for row in connection.execute(query))
        return found

    def _indexed_at(self, address_key: str) -> list[str]:
        found = self.dynamo.query(
            USERS, equals("addressKey", address_key), index=_ADDRESS_INDEX, attributes=("userId",)
        )
        return [item["userId"] for item in found]


def counted_among(orders: Iterable[Order]) -> list[CountedOrder]:
    """Return those orders that count."""
    return [CountedOrder(order.ordered_at, order.total_value) for order in orders if order.status.counts]
