"""Several writers at once, on every store: no error, no lost update, no order counted twice or under two users."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial

from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.store import Touches, UnknownUserError
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.users.builders import log_of, order, store_of, user
from engagement_pipeline_tests.users.stores import Shop

_ROUNDS = 15
_USERS = [f"u{number}" for number in range(5)]


def at_once(*writers: Callable[[], object]) -> None:
    start = threading.Barrier(len(writers), timeout=30)

    def begin(write: Callable[[], object]) -> None:
        start.wait()
        write()

    with ThreadPoolExecutor(len(writers)) as pool:
        for done in [pool.submit(begin, write) for write in writers]:
            done.result(timeout=120)


def test_two_writers_of_the_same_users(shop: Shop) -> None:
    shop.store.put_users([user(user_id) for user_id in _USERS], NOW)

    def write_orders(name: str) -> None:
        for number in range(_ROUNDS):
            batch = [order(f"{name}{number}-{user_id}", user_id, number + 1) for user_id in _USERS]
            shop.store.put_orders(batch, NOW)

    def touch() -> None:
        for number in range(_ROUNDS):
            for user_id in reversed(_USERS):
                shop.touch([Touches(user_id, [NOW - timedelta(days=number)], None, number + 1)], NOW)

    def describe() -> None:
        for number in range(_ROUNDS):
            shop.store.put_users([user(user_id, name=f"Name {number}") for user_id in _USERS], NOW)

    at_once(lambda: write_orders("a"), lambda: write_orders("b"), touch, describe)

    found = shop.store.get_users(_USERS)
    assert {each.order_count for each in found} == {2 * _ROUNDS}
    assert {each.order_days for each in found} == {_ROUNDS}
    assert {each.steps for each in found} == {_ROUNDS}
    assert {each.name for each in found} == {f"Name {_ROUNDS - 1}"}


def test_two_writers_of_the_same_orders(shop: Shop) -> None:
    shop.store.put_users([user("u1")], NOW)

    def write() -> None:
        for number in range(_ROUNDS):
            shop.store.put_orders([order(f"o{number}", days_ago=number + 1)], NOW)

    at_once(write, write)
    assert shop.stored().order_count == len(shop.store.orders_of("u1")) == _ROUNDS


def test_orders_that_together_outgrow_what_was_stated(shop: Shop) -> None:
    """Neither of two orders changes the aggregates alone: the writer of each must notice the other."""
    stated = NOW - timedelta(days=1)
    for number in range(_ROUNDS):
        user_id = f"u{number}"
        shop.store.put_users([user(user_id, order_count=2, average_order_value=1, last_order_at=stated)], NOW)

        def write(name: str, user_id: str = user_id) -> None:
            shop.store.put_orders([order(f"{name}-{user_id}", user_id, days_ago=5, value=10)], NOW)

        at_once(lambda: write("a"), lambda: write("b"))
        got = shop.stored(user_id)
        assert (got.order_count, got.order_days, got.average_order_value) == (2, 1, 10)


def test_an_order_that_several_give_to_several_users_belongs_to_one(shop: Shop) -> None:
    shop.store.put_users([user(user_id) for user_id in _USERS], NOW)
    ids = [f"o{number}-{part}" for number in range(_ROUNDS) for part in range(2)]

    def write(user_id: str, batch: Sequence[str]) -> None:
        shop.store.put_orders([order(order_id, user_id) for order_id in batch], NOW)

    for number in range(_ROUNDS):
        at_once(*(partial(write, user_id, ids[2 * number : 2 * number + 2]) for user_id in _USERS))

    held = [each for user_id in _USERS for each in shop.store.orders_of(user_id)]
    assert sorted(each.order_id for each in held) == sorted(ids)
    assert sorted(shop.store.get_orders(ids), key=str) == sorted(held, key=str)
    for each in shop.store.get_users(_USERS):
        assert each.order_count == len(shop.store.orders_of(each.user_id))


def test_a_user_who_is_deleted_meanwhile_leaves_no_orders(shop: Shop) -> None:
    shop.store.put_users([user("u1"), user("u2")], NOW)

    def write() -> None:
        for number in range(_ROUNDS):
            with suppress(UnknownUserError):
                shop.store.put_orders([order(f"o{number}", "u1")], NOW)

    def delete() -> None:
        for _ in range(_ROUNDS):
            shop.store.delete_user("u1", NOW)

    at_once(write, delete)
    assert shop.store.get_user("u1") is None
    assert shop.store.orders_of("u1") == []


def test_an_order_that_two_write_is_logged_once(database: Database) -> None:
    store = store_of(database)
    store.put_users([user("u1")], NOW)

    def write() -> None:
        for number in range(_ROUNDS):
            store.put_orders([order(f"o{number}", days_ago=number + 1)], NOW)

    at_once(write, write)
    assert sum(entry[0] == "order" for entry in log_of(database)) == _ROUNDS
