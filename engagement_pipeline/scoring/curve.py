"""One user's score over the past days: what the formula says of each day, from what is known today of the days before.

The population's parameters are those of today for every day, so that what moves the curve is the user.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta, timezone
from itertools import pairwise
from typing import NamedTuple

from engagement_pipeline.platform.settings_groups import ScoringSettings
from engagement_pipeline.scoring.engine import in_memory
from engagement_pipeline.scoring.formula import Population, parameters, scored
from engagement_pipeline.users.aggregates import CountedOrder, stands_until
from engagement_pipeline.users.rows import StoredUser

# A step between two days of more than this many points of score is an event, not the passing of time.
_JUMP = 1.0

# The formula knows one day to score as of. It only counts days back from it, so facts of an earlier day, moved forward
# to that day, give that earlier day's score.
_FACTS = """
    SELECT
        day, order_days, average_order_value,
        last_order_at + TO_DAYS(CAST($as_of AS DATE) - day) AS last_order_at,
        last_email_at + TO_DAYS(CAST($as_of AS DATE) - day) AS last_email_at
    FROM (
        SELECT
            UNNEST($day::DATE[]) AS day,
            UNNEST($order_days::INTEGER[]) AS order_days,
            UNNEST($average_order_value::DOUBLE[]) AS average_order_value,
            UNNEST($last_order_at::TIMESTAMP[]) AS last_order_at,
            UNNEST($last_email_at::TIMESTAMP[]) AS last_email_at
    )
"""


class Point(NamedTuple):
    """The score at the end of a day (UTC)."""

    day: date
    score: float
    band: str


class Crossing(NamedTuple):
    """The day on which a user came from one band into another."""

    day: date
    score: float
    before: str
    after: str


class _Facts(NamedTuple):
    day: date
    order_days: int
    average_order_value: float
    last_order_at: datetime | None
    last_email_at: datetime | None


def score_curve(
    user: StoredUser,
    orders: Iterable[CountedOrder],
    emailed_at: Iterable[datetime],
    population: Population,
    settings: ScoringSettings,
    as_of: date,
    days: int = 365,
) -> list[Point]:
    """Return a point for each day, the oldest first; the last one is the score as of `as_of`.

    The curve begins with the first order, or with the stated last order where the orders before it are not known.

    Args:
        user: as the store knows him.
        orders: all of his orders that count.
        emailed_at: when he was written to.
        population: the parameters in use.
        settings: the formula's settings.
        as_of: the last day.
        days: how far the curve goes back at most.
    """
    facts = [
        *_past(_start(user, sorted(orders)), sorted(emailed_at), as_of - timedelta(days=days), as_of),
        _Facts(as_of, user.order_days, user.average_order_value, user.last_order_at, user.last_email_at),
    ]
    columns = {name: [_naive(getattr(row, name)) for row in facts] for name in _Facts._fields}
    query = f"SELECT day, score, band FROM ({scored(_FACTS)}) ORDER BY day"  # noqa: S608
    with in_memory() as con:
        rows = con.execute(query, {**parameters(as_of, population, settings), **columns}).fetchall()
    return [Point(*row) for row in rows]


def crossings(points: Sequence[Point]) -> list[Crossing]:
    """Return the days of a curve on which the band changed, the oldest first."""
    return [
        Crossing(after.day, after.score, before.band, after.band)
        for before, after in pairwise(points)
        if before.band != after.band
    ]


def thinned(points: Sequence[Point], step: int = 7) -> list[Point]:
    """Return a point a week, counted from the last one, and both sides of every jump: enough to draw the curve."""
    last = len(points) - 1
    jumps = {
        place
        for after in range(1, len(points))
        if abs(points[after].score - points[after - 1].score) > _JUMP
        for place in (after - 1, after)
    }
    return [point for place, point in enumerate(points) if place == 0 or (last - place) % step == 0 or place in jumps]


class _Start(NamedTuple):
    """Where a curve begins: from this day on it is known what each day brought."""

    day: date
    order_count: int
    total_value: float
    last_order_at: datetime
    later: Sequence[CountedOrder]


def _start(user: StoredUser, orders: Sequence[CountedOrder]) -> _Start | None:
    """Return where the curve begins, from orders that are sorted; None where there is no order."""
    stated = user.stated
    covered_until = stands_until(stated, orders)
    if covered_until is None or stated.last_order_at is None:
        return _Start(_day(orders[0].ordered_at), 0, 0.0, orders[0].ordered_at, orders) if orders else None
    covered = [order.ordered_at for order in orders if _day(order.ordered_at) <= covered_until]
    total_value = stated.orders * (stated.average_order_value or 0.0)
    last_order_at = max([stated.last_order_at, *covered[-1:]])
    return _Start(covered_until, stated.orders, total_value, last_order_at, orders[len(covered) :])


def _past(start: _Start | None, emailed_at: Sequence[datetime], first: date, as_of: date) -> Iterator[_Facts]:
    """Go through the days from `first` to before `as_of`, adding to the facts what each brought."""
    if start is None:
        return
    day, count, value, last_order_at, later = start
    order_days, last_email_at = count, None
    coming, written = deque(later), deque(emailed_at)
    cents = 0
    while day < as_of:
        has_ordered = False
        while coming and _day(coming[0].ordered_at) <= day:
            last_order_at, total = coming.popleft()
            cents += round(total * 100)
            count += 1
            has_ordered = True
        order_days += has_ordered
        while written and _day(written[0]) <= day:
            last_email_at = written.popleft()
        if day >= first:
            yield _Facts(day, order_days, (value + cents / 100) / count, last_order_at, last_email_at)
        day += timedelta(days=1)


def _day(moment: datetime) -> date:
    return moment.astimezone(timezone.utc).date()


def _naive(value: object) -> object:
    return value.astimezone(timezone.utc).replace(tzinfo=None) if isinstance(value, datetime) else value
