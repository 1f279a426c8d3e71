"""The columns of a user's row that follow from orders, stated values and touches, kept in step with them."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timezone
from typing import Any

import sqlalchemy as sa

from engagement_pipeline.platform.batches import in_batches
from engagement_pipeline.users.aggregates import CountedOrder, Stated, aggregate, touches_since
from engagement_pipeline.users.models import COUNTED
from engagement_pipeline.users.tables import orders, users

# Well below the number of bound values that SQLite (32,766) and PostgreSQL (65,535) take.
_CHUNK = 5_000

# More than any sensible limit of e-mails per silence.
MAX_TOUCHES = 20

_DERIVED = ("order_count", "order_days", "average_order_value", "first_order_at", "last_order_at")


def chunks(ids: Iterable[str]) -> Iterator[list[str]]:
    """Split ids so that each part fits into one statement."""
    return in_batches(ids, _CHUNK)


def derived(stated: Stated, counted: Iterable[CountedOrder], touched_at: Sequence[datetime]) -> dict[str, Any]:
    """Return a user's derived columns."""
    aggregates = aggregate(stated, counted)
    return {**aggregates._asdict(), "touches_since_order": touches_since(touched_at, aggregates.last_order_at)}


def counted_orders(connection: sa.Connection, user_ids: Iterable[str]) -> dict[str, list[CountedOrder]]:
    """Return the orders that count, by user; users without any are absent."""
    found: dict[str, list[CountedOrder]] = defaultdict(list)
    for chunk in chunks(user_ids):
        query = sa.select(orders.c.user_id, orders.c.ordered_at, orders.c.total_value).where(
            orders.c.user_id.in_(chunk), orders.c.status.in_([status.value for status in COUNTED])
        )
        for user_id, ordered_at, total_value in connection.execute(query):
            found[user_id].append(CountedOrder(ordered_at, total_value))
    return found


def refresh(connection: sa.Connection, user_ids: Collection[str], now: datetime) -> None:
    """Recompute the derived columns of these users from their orders, writing only rows that change."""
    counted = counted_orders(connection, user_ids)
    changed: list[dict[str, Any]] = []
    for row in _current(connection, user_ids):
        stated = Stated(
            row.stated_order_count, row.stated_average_order_value, row.stated_first_order_at, row.stated_last_order_at
        )
        touched_at = [datetime.fromisoformat(moment) for moment in row.touched_at]
        values = derived(stated, counted.get(row.user_id, ()), touched_at)
        if any(values[name] != getattr(row, name) for name in _DERIVED):
            changed.append({"key": row.user_id, **values})
    if changed:
        statement = sa.update(users).where(users.c.user_id == sa.bindparam("key"))
        names: dict[str, Any] = {name: sa.bindparam(name) for name in (*_DERIVED, "touches_since_order")}
        connection.execute(statement.values(**names, version=users.c.version + 1, updated_at=now), changed)


def touch_columns(touched_at: Sequence[datetime], last_order_at: datetime | None) -> dict[str, Any]:
    """Return the columns that follow from a user's touches, newest first."""
    newest_first = sorted((moment.astimezone(timezone.utc) for moment in touched_at), reverse=True)[:MAX_TOUCHES]
    return {
        "touched_at": [moment.isoformat() for moment in newest_first],
        "last_touch_at": newest_first[0] if newest_first else None,
        "touches_since_order": touches_since(newest_first, last_order_at),
    }


def _current(connection: sa.Connection, user_ids: Iterable[str]) -> Iterator[sa.Row[Any]]:
    columns = [
        users.c.user_id,
        users.c.stated_order_count,
        users.c.stated_average_order_value,
        users.c.stated_first_order_at,
        users.c.stated_last_order_at,
        users.c.touched_at,
        *(users.c[name] for name in _DERIVED),
    ]
    for chunk in chunks(user_ids):
        yield from connection.execute(sa.select(*columns).where(users.c.user_id.in_(chunk)))
