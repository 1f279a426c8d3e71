"""kill -9 of the import at random moments, then one clean run: every order is there and counted once."""

from collections import Counter
from pathlib import Path

import pytest

from engagement_pipeline.platform import warehouse
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.aggregates import CountedOrder, aggregate
from engagement_pipeline.users.importing import ImportReport
from engagement_pipeline.users.mirror import pull
from engagement_pipeline_tests.users.builders import log_of, newest_seq, store_of
from engagement_pipeline_tests.users.killed_import import ORDERS, USERS, clean_run, kill_repeatedly


def assert_every_order_counted_once(database: Database, folder: Path) -> None:
    clean_run(database, folder)
    store = store_of(database)
    users = store.get_users(f"u{number}" for number in range(USERS))
    orders = [order for user in users for order in store.orders_of(user.user_id)]
    assert len({order.order_id for order in orders}) == len(orders) == ORDERS
    for user in users:
        mine = [order for order in orders if order.user_id == user.user_id and order.status.counts]
        expected = aggregate(user.stated, [CountedOrder(order.ordered_at, order.total_value) for order in mine])
        assert (user.order_count, user.average_order_value) == (expected.order_count, expected.average_order_value)
    created = Counter(entry[1] for entry in log_of(database) if entry[0] == "order" and entry[3] == "created")
    assert set(created.values()) == {1}
    with warehouse.connect(":memory:") as con:
        pull(con, database)
        assert con.execute("SELECT count(*), count(DISTINCT order_id) FROM raw_orders").fetchone() == (ORDERS, ORDERS)
        assert con.execute("SELECT sum(order_count) FROM raw_users").fetchone() == (sum(u.order_count for u in users),)
    seq = newest_seq(database)
    again = ImportReport(files=1, read=ORDERS + 2, unchanged=ORDERS + 1, rejected=1)
    assert clean_run(database, folder) == again
    assert newest_seq(database) == seq


@pytest.mark.integration
def test_an_import_killed_at_random_moments(database: Database, tmp_path: Path) -> None:
    kill_repeatedly(database, tmp_path, kills=4, seed=1)
    assert_every_order_counted_once(database, tmp_path)


@pytest.mark.soak
def test_an_import_killed_fifty_times(database: Database, tmp_path: Path) -> None:
    assert kill_repeatedly(database, tmp_path, kills=50, seed=2) > 10
    assert_every_order_counted_once(database, tmp_path)
