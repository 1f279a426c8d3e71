"""How stated aggregates and orders combine."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement_pipeline.users.aggregates import Aggregates, CountedOrder, Stated, aggregate, touches_since
from engagement_pipeline.users.models import MAX_COUNT

START = datetime(2025, 1, 1, tzinfo=timezone.utc)

moments = st.datetimes(datetime(2024, 1, 1), datetime(2026, 1, 1), timezones=st.just(timezone.utc))  # noqa: DTZ001
values = st.integers(0, 100_000).map(lambda cents: cents / 100)
counted = st.lists(st.builds(CountedOrder, moments, values), max_size=12)
stated_values = st.builds(
    lambda last, gap, count, average: Stated(count, average, last - gap, last),
    moments,
    st.timedeltas(timedelta(0), timedelta(days=400)),
    st.integers(1, 15),
    values,
)


def at(day: int, hour: int = 12) -> datetime:
    return START + timedelta(days=day, hours=hour)


def test_nobody_who_never_ordered() -> None:
    assert aggregate(Stated(), []) == Aggregates(0, 0, 0.0, None, None)


def test_orders_of_one_day_are_one_order_day() -> None:
    got = aggregate(Stated(), [CountedOrder(at(0, 1), 10), CountedOrder(at(0, 23), 20), CountedOrder(at(5), 0)])
    assert got == Aggregates(3, 2, 10.0, at(0, 1), at(5))


def test_days_are_days_in_utc() -> None:
    eastern = timezone(timedelta(hours=-5))
    late = CountedOrder(datetime(2025, 1, 1, 22, tzinfo=eastern), 1)
    assert aggregate(Stated(), [late, CountedOrder(datetime(2025, 1, 2, 4, tzinfo=timezone.utc), 1)]).order_days == 1


def test_stated_values_stand_while_orders_know_less() -> None:
    stated = Stated(4, 25.0, at(0), at(100))
    assert aggregate(stated, []) == Aggregates(4, 4, 25.0, at(0), at(100))
    assert aggregate(stated, [CountedOrder(at(50), 999)]) == Aggregates(4, 4, 25.0, at(0), at(100))


def test_later_orders_add_to_stated_values() -> None:
    stated = Stated(4, 25.0, at(0), at(100))
    got = aggregate(stated, [CountedOrder(at(101), 50), CountedOrder(at(101, 13), 50)])
    assert got == Aggregates(6, 5, 200 / 6, at(0), at(101, 13))


def test_an_order_later_on_the_stated_last_day_is_the_one_that_was_stated() -> None:
    got = aggregate(Stated(4, 25.0, at(0), at(100, 0)), [CountedOrder(at(100, 20), 60)])
    assert (got.order_count, got.last_order_at) == (4, at(100, 20))


def test_orders_alone_decide_once_they_know_as_much_as_was_stated() -> None:
    known = [CountedOrder(at(10), 10), CountedOrder(at(20), 30)]
    assert aggregate(Stated(2, 99.0, at(0), at(100)), known) == Aggregates(2, 2, 20.0, at(10), at(20))


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (Stated(last_order_at=at(3)), Aggregates(1, 1, 0.0, at(3), at(3))),
        (Stated(2, 5.0, None, at(3)), Aggregates(2, 2, 5.0, None, at(3))),
        (Stated(0), Aggregates()),
    ],
)
def test_partly_stated_values(stated: Stated, expected: Aggregates) -> None:
    assert aggregate(stated, []) == expected


@given(counted, stated_values | st.just(Stated()), st.randoms(use_true_random=False))
def test_order_of_arrival_does_not_matter(orders: list[CountedOrder], stated: Stated, random: object) -> None:
    shuffled = list(orders)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert aggregate(stated, shuffled) == aggregate(stated, orders)


@given(counted, stated_values | st.just(Stated()))
def test_what_always_holds(orders: list[CountedOrder], stated: Stated) -> None:
    got = aggregate(stated, orders)
    assert 0 <= got.order_days <= got.order_count
    assert (got.order_count == 0) == (got.last_order_at is None)
    assert got.average_order_value >= 0
    if got.first_order_at and got.last_order_at:
        assert got.first_order_at <= got.last_order_at
    if orders:
        assert got.last_order_at is not None
        assert got.last_order_at >= max(order.ordered_at for order in orders)


@given(stated_values, values)
def test_a_new_order_counts_once_on_top_of_stated_values(stated: Stated, value: float) -> None:
    assert stated.last_order_at is not None
    new = CountedOrder(stated.last_order_at + timedelta(days=1), value)
    before, after = aggregate(stated, []), aggregate(stated, [new])
    assert after.order_count == before.order_count + 1
    assert after.order_days == before.order_days + 1
    assert after.last_order_at == new.ordered_at
    total = before.order_count * before.average_order_value + value
    assert after.average_order_value * after.order_count == pytest.approx(total)


@given(st.lists(moments, max_size=10), moments)
def test_only_touches_strictly_after_the_last_order_count(touched: list[datetime], last: datetime) -> None:
    assert touches_since(touched, None) == len(touched)
    assert touches_since([last], last) == 0
    assert touches_since(touched, last) == sum(moment > last for moment in touched)


def test_counts_stay_what_a_column_holds() -> None:
    got = aggregate(Stated(MAX_COUNT, 1.0, at(0), at(1)), [CountedOrder(at(5), 1)])
    assert (got.order_count, got.order_days) == (MAX_COUNT, MAX_COUNT)
