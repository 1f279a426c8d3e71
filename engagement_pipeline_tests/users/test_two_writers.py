"""Two writers at once: no error, no lost update, no order counted twice."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.store import Touches, record_touches
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.users.builders import log_of, order, store_of, user

_ROUNDS = 15
_USERS = [f"u{number}" for number in range(5)]


def test_two_writers_of_the_same_users(database: Database) -> None:
    store = store_of(database)
    store.put_users([user(user_id) for user_id in _USERS], NOW)
    start = threading.Barrier(3, timeout=30)

    def write_orders(name: str) -> None:
        start.wait()
        for number in range(_ROUNDS):
            store.put_orders([order(f"{name}{number}-{user_id}", user_id, number + 1) for user_id in _USERS], NOW)

    def touch() -> None:
        start.wait()
        for number in range(_ROUNDS):
            with database.write() as connection:
                for user_id in reversed(_USERS):
                    record_touches(
                        connection, [Touches(user_id, [NOW - timedelta(days=number)], None, number + 1)], NOW
                    )

    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(write_orders, "a"), pool.submit(write_orders, "b"), pool.submit(touch)]:
            done.result(timeout=120)

    found = store.get_users(_USERS)
    assert {each.order_count for each in found} == {2 * _ROUNDS}
    assert {each.order_days for each in found} == {_ROUNDS}
    assert {each.steps for each in found} == {_ROUNDS}
    assert sum(entry[0] == "order" for entry in log_of(database)) == 2 * _ROUNDS * len(_USERS)


def test_two_writers_of_the_same_orders(database: Database) -> None:
    store = store_of(database)
    store.put_users([user("u1")], NOW)
    start = threading.Barrier(2, timeout=30)

    def write() -> None:
        start.wait()
        for number in range(_ROUNDS):
            store.put_orders([order(f"o{number}", days_ago=number + 1)], NOW)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(write), pool.submit(write)]:
            done.result(timeout=120)

    stored = store.get_user("u1")
    assert stored is not None
    assert stored.order_count == _ROUNDS
    assert sum(entry[0] == "order" for entry in log_of(database)) == _ROUNDS
