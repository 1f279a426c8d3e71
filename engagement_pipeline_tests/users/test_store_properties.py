"""In any order of arrival, with replays, any batches and statuses: all aggregates are as computed from scratch."""

import itertools
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from random import Random
from typing import TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engagement_pipeline.users.aggregates import CountedOrder, aggregate, touches_since
from engagement_pipeline.users.models import Order, OrderStatus, User
from engagement_pipeline.users.store import UserStore
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.users.stores import Shop

Record = TypeVar("Record", User, Order)

_USERS = ("u1", "u2", "u3")

moments = st.datetimes(datetime(2025, 1, 1), datetime(2025, 3, 1), timezones=st.just(timezone.utc))  # noqa: DTZ001
orders = st.builds(
    Order,
    order_id=st.sampled_from([f"o{number}" for number in range(8)]),
    user_id=st.sampled_from(_USERS),
    ordered_at=moments,
    total_value=st.integers(0, 50_000).map(lambda cents: cents / 100),
    item_count=st.integers(0, 5),
    skus=st.lists(st.sampled_from(["DR-101", "AC-801"]), max_size=2).map(tuple),
    status=st.sampled_from(OrderStatus),
)


@st.composite
def described_users(draw: st.DrawFn) -> list[User]:
    """Users, some with stated aggregates only."""
    found = []
    for user_id in _USERS:
        last = draw(st.none() | moments)
        stated = (
            {}
            if last is None
            else {
                "last_order_at": last,
                "first_order_at": last - timedelta(days=draw(st.integers(0, 90))),
                "order_count": draw(st.integers(1, 6)),
                "average_order_value": draw(st.integers(0, 9_000)) / 100,
            }
        )
        found.append(User.model_validate({"user_id": user_id, **stated}))
    return found


def assert_from_scratch(store: UserStore, final: Sequence[Order], name: Callable[[str], str]) -> None:
    for stored in store.get_users(map(name, _USERS)):
        counted = [
            CountedOrder(order.ordered_at, order.total_value)
            for order in final
            if order.user_id == stored.user_id and order.status.counts
        ]
        expected = aggregate(stored.stated, counted)
        got = (
            stored.order_count,
            stored.order_days,
            stored.average_order_value,
            stored.first_order_at,
            stored.last_order_at,
        )
        assert got == tuple(expected)
        assert stored.touches_since_order == touches_since(stored.touched_at, stored.last_order_at)


# One store for all examples, in which each has users and orders of its own.
_examples = itertools.count()
_of_one_store = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def named() -> Callable[[str], str]:
    example = next(_examples)
    return lambda name: f"{example}-{name}"


def in_example(records: Sequence[Record], name: Callable[[str], str]) -> list[Record]:
    ids = ("user_id", "order_id")
    return [
        record.model_copy(update={key: name(getattr(record, key)) for key in ids if hasattr(record, key)})
        for record in records
    ]


@_of_one_store
@given(described_users(), st.lists(orders, max_size=20), st.integers(1, 7), st.randoms(use_true_random=False))
def test_any_sequence_of_writes_equals_a_computation_from_scratch(
    shop: Shop, users: list[User], arriving: list[Order], batch: int, random: Random
) -> None:
    name = named()
    users, arriving = in_example(users, name), in_example(arriving, name)
    shop.store.put_users(users, NOW)
    for start in range(0, len(arriving), batch):
        shop.store.put_orders(arriving[start : start + batch], NOW)
    final = list({order.order_id: order for order in arriving}.values())
    assert_from_scratch(shop.store, final, name)
    found = [order for user_id in map(name, _USERS) for order in shop.store.orders_of(user_id)]
    assert sorted(found, key=str) == sorted(final, key=str)

    before = shop.everything()
    random.shuffle(final)
    shop.store.put_orders(final, NOW)
    shop.store.put_users(users, NOW)
    assert shop.everything() == before


@_of_one_store
@given(described_users(), described_users(), st.lists(orders, max_size=12))
def test_stated_values_may_change_before_or_after_the_orders(
    shop: Shop, first: list[User], second: list[User], arriving: list[Order]
) -> None:
    name = named()
    arriving = in_example(arriving, name)
    final = list({order.order_id: order for order in arriving}.values())
    shop.store.put_users(in_example(first, name), NOW)
    shop.store.put_orders(arriving, NOW)
    shop.store.put_users(in_example(second, name), NOW)
    assert_from_scratch(shop.store, final, name)
