"""The store, on SQLite and PostgreSQL: writes, aggregates, the change log in the same transaction, touches."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from engagement_pipeline.platform import change_log
from engagement_pipeline.platform.change_log import Change
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.keys import SecretKeyChangedError
from engagement_pipeline.users.models import OrderStatus
from engagement_pipeline.users.store import (
    SqlUserStore,
    StoredUser,
    Touches,
    UnknownUserError,
    WriteCounts,
    record_touches,
)
from engagement_pipeline.users.tables import orders, users
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.users.builders import later, log_of, newest_seq, order, store_of, user


def stored(store: SqlUserStore, user_id: str = "u1") -> StoredUser:
    found = store.get_user(user_id)
    assert found is not None
    return found


def test_users_are_created_updated_and_left_alone(database: Database) -> None:
    store = store_of(database)
    both = [user("u1"), user("u2", consent=True, preferred_categories=("denim", "shoes"))]
    assert store.put_users(both, NOW) == WriteCounts(2, 0, 0)
    assert store.put_users(both, later(1)) == WriteCounts(0, 0, 2)
    assert store.put_users([user("u1"), user("u2", consent=False)], later(2)) == WriteCounts(0, 1, 1)
    assert log_of(database) == [
        ("user", "u1", "u1", "created"),
        ("user", "u2", "u2", "created"),
        ("user", "u2", "u2", "updated"),
    ]
    second = stored(store, "u2")
    assert (second.consent, second.version, second.created_at, second.updated_at) == (False, 2, NOW, later(2))


def test_everything_about_a_user_comes_back(database: Database) -> None:
    store = store_of(database)
    given = user(
        consent=True,
        time_zone="America/New_York",
        preferred_categories=("denim", "shoes"),
        order_count=3,
        average_order_value=12.5,
        first_order_at=NOW - timedelta(days=300),
        last_order_at=NOW - timedelta(days=100, microseconds=1),
        created_at=NOW - timedelta(days=400),
        updated_at=NOW - timedelta(days=2),
    )
    store.put_users([given], NOW)
    got = stored(store)
    assert (got.email, got.name, got.time_zone) == (given.email, given.name, given.time_zone)
    assert got.preferred_categories == given.preferred_categories
    assert (got.order_count, got.order_days, got.average_order_value) == (3, 3, 12.5)
    assert (got.first_order_at, got.last_order_at) == (given.first_order_at, given.last_order_at)
    assert (got.created_at, got.updated_at) == (given.created_at, given.updated_at)
    assert (got.touched_at, got.steps, got.version) == ((), 0, 1)
    assert "ada" not in repr(got).lower()


def test_two_spellings_of_an_address_share_a_key_and_no_address_has_none(database: Database) -> None:
    store = store_of(database)
    store.put_users([user("u1", email="Ada@Example.com"), user("u2", email="ada@example.com")], NOW)
    store.put_users([user("u3", email=None)], NOW)
    assert stored(store, "u1").address_key == stored(store, "u2").address_key is not None
    assert stored(store, "u3").address_key is None


def test_another_secret_key_is_refused_and_writes_nothing(database: Database) -> None:
    store_of(database).put_users([user("u1")], NOW)
    with pytest.raises(SecretKeyChangedError, match="ENGAGEMENT_SECRET_KEY"):
        SqlUserStore(database, "quite another secret key").put_users([user("u2")], NOW)
    assert store_of(database).known_user_ids(["u1", "u2"]) == {"u1"}


def test_orders_bring_their_users_aggregates_up_to_date(database: Database) -> None:
    store = store_of(database)
    store.put_users([user("u1"), user("u2")], NOW)
    counts = store.put_orders([order("a", days_ago=5, value=10), order("b", days_ago=40, value=20)], NOW)
    assert counts == WriteCounts(2, 0, 0)
    got = stored(store)
    assert (got.order_count, got.order_days, got.average_order_value) == (2, 2, 15.0)
    assert got.last_order_at == NOW - timedelta(days=5)
    assert stored(store, "u2").order_count == 0
    assert [each.order_id for each in store.orders_of("u1")] == ["b", "a"]


def test_replaying_orders_changes_nothing(database: Database) -> None:
    store = store_of(database)
    store.put_users([user("u1")], NOW)
    batch = [order("a"), order("b", days_ago=3, value=0.1)]
    store.put_orders(batch, NOW)
    seq, before = newest_seq(database), stored(store)
    assert store.put_orders(batch, later(1)) == WriteCounts(0, 0, 2)
    assert newest_seq(database) == seq
    assert stored(store) == before


def test_a_cancelled_order_no_longer_counts(database: Database) -> None:
    store = store_of(database)
    store.put_users([user("u1")], NOW)
    store.put_orders([order("a", days_ago=50), order("b", days_ago=2)], NOW)
    assert store.put_orders([order("b", days_ago=2, status=OrderStatus.RETURNED)], NOW) == WriteCounts(0, 1, 0)
    got = stored(store)
    assert (got.order_count, got.last_order_at) == (1, NOW - timedelta(days=50))


def test_an_order_that_moves_changes_both_users(database: Database) -> None:
    store = store_of(database)
    store.put_users([user("u1"), user("u2")], NOW)
    store.put_orders([order("a", "u1")], NOW)
    seq = newest_seq(database)
    store.put_orders([order("a", "u2")], NOW)
    assert (stored(store, "u1").order_count, stored(store, "u2").order_count) == (0, 1)
    assert {entry[2] for entry in log_of(database, seq)} == {"u1", "u2"}


def test_of_several_records_with_one_id_the_last_counts(database: Database) -> None:
    store = store_of(database)
    assert store.put_users([user("u1", name="Old"), user("u1", name="New")], NOW) == WriteCounts(1, 0, 1)
    assert stored(store).name == "New"
    assert store.put_orders([order("a", value=1), order("a", value=2)], NOW) == WriteCounts(1, 0, 1)
    assert store.orders_of("u1")[0].total_value == 2


def test_orders_of_unknown_users_name_them_and_write_nothing(database: Database) -> None:
    store = store_of(database)
    store.put_users([user("u1")], NOW)
    seq = newest_seq(database)
    with pytest.raises(UnknownUserError) as caught:
        store.put_orders([order("a", "u1"), order("b", "ghost"), order("c", "spirit")], NOW)
    assert caught.value.user_ids == {"ghost", "spirit"}
    assert newest_seq(database) == seq
    assert store.orders_of("u1") == []


def test_a_failing_transaction_leaves_neither_rows_nor_log(database: Database) -> None:
    store = store_of(database)
    store.put_users([user("u1")], NOW)
    seq = newest_seq(database)

    def fail() -> None:
        with database.write() as connection:
            record_touches(connection, [Touches("u1", [NOW], NOW, 1)], NOW)
            change_log.append(connection, [Change("email", "e1", "u1", "created")], NOW)
            raise RuntimeError("the process dies here")

    with pytest.raises(RuntimeError):
        fail()
    assert newest_seq(database) == seq
    assert stored(store).steps == 0


def test_rows_and_log_become_visible_together(database: Database) -> None:
    """A reader that sees a log entry sees the row it speaks of, and the other way round."""
    store = store_of(database)
    store.put_users([user("u1")], NOW)
    with database.write() as connection:
        record_touches(connection, [Touches("u1", [NOW], NOW, 1)], NOW)
        with database.engine.connect() as reader:
            entries = reader.execute(sa.select(sa.func.count()).where(change_log.change_log.c.entity == "touch"))
            steps = reader.execute(sa.select(users.c.steps)).scalar_one()
        assert (entries.scalar_one(), steps) == (0, 0)
    assert log_of(database)[-1] == ("touch", "u1", "u1", "updated")
    assert stored(store).steps == 1


def test_deleting_a_user_takes_the_orders_along(database: Database) -> None:
    store = store_of(database)
    store.put_users([user("u1"), user("u2")], NOW)
    store.put_orders([order("a", "u1"), order("b", "u2")], NOW)
    assert store.delete_user("u1", NOW)
    assert not store.delete_user("u1", NOW)
    assert store.get_user("u1") is None
    with database.read() as connection:
        assert connection.execute(sa.select(orders.c.order_id)).scalars().all() == ["b"]
    assert log_of(database)[-1] == ("user", "u1", "u1", "deleted")


def test_touches_are_kept_newest_first_and_counted_since_the_last_order(database: Database) -> None:
    store = store_of(database)
    store.put_users([user("u1")], NOW)
    store.put_orders([order("a", days_ago=30)], NOW)
    moments = [NOW - timedelta(days=days) for days in (60, 2, 30, 10)]
    with database.write() as connection:
        record_touches(connection, [Touches("u1", moments, moments[3], 4)], NOW)
    got = stored(store)
    assert got.touched_at == tuple(sorted(moments, reverse=True))
    # The touch at the very moment of the order came before it.
    assert (got.touches_since_order, got.last_touch_at, got.last_email_at) == (2, moments[1], moments[3])
    assert (got.steps, got.version) == (4, 3)
    store.put_orders([order("b", days_ago=5)], NOW)
    assert stored(store).touches_since_order == 1
    store.put_orders([order("b", days_ago=5, status=OrderStatus.CANCELLED)], NOW)
    assert stored(store).touches_since_order == 2


def test_at_most_twenty_touches_are_kept(database: Database) -> None:
    store = store_of(database)
    store.put_users([user("u1")], NOW)
    with database.write() as connection:
        record_touches(connection, [Touches("u1", [NOW - timedelta(days=days) for days in range(50)], NOW, 50)], NOW)
    got = stored(store)
    assert len(got.touched_at) == 20
    assert got.touched_at[0] == NOW


def test_describing_a_user_anew_keeps_orders_and_touches(database: Database) -> None:
    store = store_of(database)
    store.put_users([user("u1")], NOW)
    store.put_orders([order("a")], NOW)
    with database.write() as connection:
        record_touches(connection, [Touches("u1", [NOW], NOW, 1)], NOW)
    store.put_users([user("u1", name="Another Name")], NOW)
    got = stored(store)
    assert (got.order_count, got.steps, got.touched_at, got.touches_since_order) == (1, 1, (NOW,), 1)


def test_touches_of_a_deleted_user_are_passed_over(database: Database) -> None:
    with database.write() as connection:
        record_touches(connection, [Touches("ghost", [NOW], NOW, 1)], NOW)
    assert log_of(database) == []


def test_more_ids_than_one_statement_takes(database: Database) -> None:
    store = store_of(database)
    many = [user(f"u{number}", email=None) for number in range(12_000)]
    assert store.put_users(many, NOW).created == 12_000
    assert len(store.get_users(each.user_id for each in many)) == 12_000
