"""Rows of users and orders that are no items any more: a restored database holds people who were erased meanwhile."""

from collections.abc import Iterator
from typing import Final

import sqlalchemy as sa

from engagement_pipeline.changes.events import Entity
from engagement_pipeline.changes.item_reader import TABLES
from engagement_pipeline.platform.dynamodb import Dynamo
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.tables import orders, users

# Of each, the columns that are its item's key, and the row's own. E-mails of who is erased are items that stay.
_KEYS: Final[dict[Entity, tuple[sa.Column[str], ...]]] = {
    "user": (users.c.user_id,),
    "order": (orders.c.user_id, orders.c.order_id),
}
_AT_ONCE: Final = 1_000

# As the table's key has it.
ItemId = tuple[str, ...]


def has_rows(database: Database, entity: Entity) -> bool:
    """Tell whether there are rows that could be left over."""
    if entity not in _KEYS:
        return False
    with database.read() as connection:
        return connection.execute(sa.select(_KEYS[entity][-1]).limit(1)).first() is not None


def left_over(database: Database, dynamo: Dynamo, entity: Entity) -> Iterator[list[ItemId]]:
    """Return the keys of rows that are no items any more, page by page.

    Raises:
        UnavailableError: DynamoDB does not answer.
    """
    columns = _KEYS[entity]
    row_id, table = columns[-1], TABLES[entity]
    after = ""
    while True:
        with database.read() as connection:
            page = connection.execute(sa.select(*columns).where(row_id > after).order_by(row_id).limit(_AT_ONCE))
            keys: list[ItemId] = [tuple(row) for row in page]
        if not keys:
            return
        names = table.key.attributes
        there = {tuple(item[name] for name in names) for item in dynamo.get_many(table, keys, attributes=names)}
        yield [key for key in keys if key not in there]
        after = keys[-1][-1]
