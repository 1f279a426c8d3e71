"""A user's orders, the newest first."""

from dataclasses import dataclass

import sqlalchemy as sa

from engagement_pipeline.users.models import Order
from engagement_pipeline.users.rows import stored_order
from engagement_pipeline.users.tables import orders
from engagement_pipeline.web.queries.cursors import Position
from engagement_pipeline.web.queries.paging import Segment, read_page


@dataclass(frozen=True)
class OrderPage:
    """A page of orders, and where the next one begins; None behind the last."""

    orders: list[Order]
    following: Position | None


def orders_of(connection: sa.Connection, user_id: str, limit: int, after: Position | None = None) -> OrderPage:
    """Return a page of a user's orders of every status, the newest first."""
    mine = Segment(
        sa.select(orders).where(orders.c.user_id == user_id), (orders.c.ordered_at, orders.c.order_id), descending=True
    )
    rows = read_page(connection, [mine], limit, after)
    return OrderPage([stored_order(row) for row in rows.rows], rows.following)
