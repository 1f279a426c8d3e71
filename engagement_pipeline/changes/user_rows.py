"""Users as their items say: touches and version are what DynamoDB has decided, aggregates follow from orders."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import sqlalchemy as sa

from engagement_pipeline.changes.reading import Reading
from engagement_pipeline.platform.change_log import Change
from engagement_pipeline.platform.sql import upsert
from engagement_pipeline.users.derived import chunks, counted_orders, derived
from engagement_pipeline.users.rows import StoredUser
from engagement_pipeline.users.searching import search_columns
from engagement_pipeline.users.tables import orders, users
from engagement_pipeline.users.writing import users_of

_COLUMNS: Final = tuple(column.name for column in users.columns if not column.primary_key)
# What follows from e-mails, and what no decision rests on: nobody reacts to it.
_NOTES: Final = (
    "touched_at",
    "steps",
    "last_email_at",
    "last_touch_at",
    "touches_since_order",
    "version",
    "created_at",
    "updated_at",
)


@dataclass(frozen=True)
class Written:
    """What has changed, and the users whose items may not know of all their orders."""

    changes: list[Change]
    doubtful: set[str]


def write(connection: sa.Connection, readings: Sequence[Reading[StoredUser]], owners: Collection[str]) -> Written:
    """Bring users' rows in line, in a writing transaction, their orders' rows being so.

    Aggregates are made of the orders that are here: whoever wrote them, they count.

    Args:
        connection: a writing transaction.
        readings: one for each user.
        owners: users whose orders have changed.
    """
    there = {reading.row.user_id: reading.row for reading in readings if reading.row is not None}
    gone = {reading.event.entity_id for reading in readings if reading.row is None}
    existing = {user.user_id: user for user in users_of(connection, {*there, *gone, *owners})}
    concerned = {**{user_id: existing[user_id] for user_id in existing.keys() & set(owners) - gone}, **there}
    counted = counted_orders(connection, concerned)
    changes: list[Change] = []
    rows: list[dict[str, Any]] = []
    doubtful: set[str] = set()
    for user_id, said in concerned.items():
        user = replace(said, **derived(said.stated, counted.get(user_id, ()), said.touched_at))
        if user_id in owners and user != said:
            doubtful.add(user_id)
        if (change := _change(existing.get(user_id), user)) is not None:
            changes.append(change)
            rows.append(row_of(user))
    upsert(connection, users, rows, _COLUMNS)
    return Written(changes + _delete(connection, gone & existing.keys()), doubtful)


def row_of(user: StoredUser) -> dict[str, Any]:
    """Return a user's row, with the columns by which people are searched for."""
    return {
        **{field.name: getattr(user, field.name) for field in fields(user) if field.name != "as_read"},
        "preferred_categories": list(user.preferred_categories),
        "touched_at": [moment.isoformat() for moment in user.touched_at],
        **search_columns(user.name)._asdict(),
    }


def _change(stored: StoredUser | None, user: StoredUser) -> Change | None:
    if stored == user:
        return None
    if stored is None:
        return Change("user", user.user_id, user.user_id, "created")
    notes: dict[str, Any] = {name: getattr(user, name) for name in _NOTES}
    entity: Any = "touch" if replace(stored, **notes) == user else "user"
    return Change(entity, user.user_id, user.user_id, "updated")


def _delete(connection: sa.Connection, user_ids: Collection[str]) -> list[Change]:
    changes = [Change("user", user_id, user_id, "deleted") for user_id in user_ids]
    for chunk in chunks(user_ids):
        connection.execute(sa.delete(users).where(users.c.user_id.in_(chunk)))
        # Their orders go by events of their own. Those that stay, the warehouse has dropped with the user.
        left = sa.select(orders.c.order_id, orders.c.user_id).where(orders.c.user_id.in_(chunk))
        changes += [Change("order", order_id, user_id, "updated") for order_id, user_id in connection.execute(left)]
    return changes
