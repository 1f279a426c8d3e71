"""A user's order aggregates: how stated values and known orders combine. Pure: values in, values out."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timezone
from typing import NamedTuple

from engagement_pipeline.users.models import MAX_COUNT, Order


class Stated(NamedTuple):
    """What a user record itself says of its orders, all optional."""

    order_count: int | None = None
    average_order_value: float | None = None
    first_order_at: datetime | None = None
    last_order_at: datetime | None = None

    @property
    def orders(self) -> int:
        """Number of orders that the record vouches for: a last order alone vouches for one."""
        if self.last_order_at is None:
            return 0
        return 1 if self.order_count is None else self.order_count


class CountedOrder(NamedTuple):
    """An order that counts: neither cancelled nor returned."""

    ordered_at: datetime
    total_value: float


class Aggregates(NamedTuple):
    """What scoring knows of a user's orders. All days are days in UTC."""

    order_count: int = 0
    order_days: int = 0
    average_order_value: float = 0.0
    first_order_at: datetime | None = None
    last_order_at: datetime | None = None


def aggregate(stated: Stated, orders: Iterable[CountedOrder]) -> Aggregates:
    """Combine stated values with the counted orders, in whatever order they arrive.

    Stated values are a baseline that covers all orders up to and including the day of the stated last order. Once as
    many orders of that time are known as were stated, the orders alone decide; until then the baseline stands for that
    time, and later orders add to it.
    """
    known = list(orders)
    covered_until = stands_until(stated, known)
    if covered_until is None or stated.last_order_at is None:
        return _of_orders(known)
    later = [order for order in known if _day(order.ordered_at) > covered_until]
    return _of_baseline(stated, stated.last_order_at, known, later)


def stands_until(stated: Stated, orders: Iterable[CountedOrder]) -> date | None:
    """Return the day up to which stated values stand for a user's orders; None where the orders alone decide."""
    if stated.last_order_at is None or stated.orders == 0:
        return None
    covered_until = _day(stated.last_order_at)
    known = sum(1 for order in orders if _day(order.ordered_at) <= covered_until)
    return None if known >= stated.orders else covered_until


def touches_since(touched_at: Sequence[datetime], last_order_at: datetime | None) -> int:
    """Count the touches strictly after the last order; all of them where there is none."""
    return len(touched_at) if last_order_at is None else sum(1 for moment in touched_at if moment > last_order_at)


def last_skus(orders: Iterable[Order], last_order_at: datetime | None) -> tuple[str, ...]:
    """Return what was bought last, by the catalogue's numbers, as far as the orders of that moment say."""
    last = [order for order in orders if order.status.counts and order.ordered_at == last_order_at]
    return tuple(sku for order in sorted(last, key=lambda order: order.order_id) for sku in order.skus)


def _of_orders(orders: Sequence[CountedOrder]) -> Aggregates:
    if not orders:
        return Aggregates()
    return Aggregates(
        order_count=len(orders),
        order_days=len({_day(order.ordered_at) for order in orders}),
        average_order_value=_cents(orders) / 100 / len(orders),
        first_order_at=min(order.ordered_at for order in orders),
        last_order_at=max(order.ordered_at for order in orders),
    )


def _of_baseline(
    stated: Stated, stated_last: datetime, known: Sequence[CountedOrder], later: Sequence[CountedOrder]
) -> Aggregates:
    count = stated.orders + len(later)
    total = stated.orders * (stated.average_order_value or 0.0) + _cents(later) / 100
    # Several orders whose first nobody stated: unknown, rather than a span that makes the gaps look short.
    first = stated.first_order_at or (stated_last if stated.orders == 1 else None)
    return Aggregates(
        order_count=min(count, MAX_COUNT),
        # On how many days the stated orders fell is not known; their number stands in for it.
        order_days=min(stated.orders + len({_day(order.ordered_at) for order in later}), MAX_COUNT),
        average_order_value=total / count,
        first_order_at=None if first is None else min([first, *(order.ordered_at for order in known)]),
        last_order_at=max([stated_last, *(order.ordered_at for order in known)]),
    )


def _cents(orders: Iterable[CountedOrder]) -> int:
    # Whole cents: a sum of floats would depend on the order of arrival.
    return sum(round(order.total_value * 100) for order in orders)


def _day(moment: datetime) -> date:
    return moment.astimezone(timezone.utc).date()
