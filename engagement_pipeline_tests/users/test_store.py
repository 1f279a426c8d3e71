"""The store on SQLite and PostgreSQL: the change log in the same transaction. All else is in `test_store_contract`."""

import pytest
import sqlalchemy as sa

from engagement_pipeline.platform import change_log
from engagement_pipeline.platform.change_log import Change
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.store import SqlUserStore, StoredUser, Touches, UnknownUserError, record_touches
from engagement_pipeline.users.tables import users
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.users.builders import later, log_of, newest_seq, order, store_of, user


def stored(store: SqlUserStore, user_id: str = "u1") -> StoredUser:
    found = store.get_user(user_id)
    assert found is not None
    return found


def test_each_change_of_a_user_is_logged_once(database: Database) -> None:
    store = store_of(database)
    both = [user("u1"), user("u2", consent=True)]
    store.put_users(both, NOW)
    store.put_users(both, later(1))
    store.put_users([user("u1"), user("u2", consent=False)], later(2))
    assert log_of(database) == [
        ("user", "u1", "u1", "created"),
        ("user", "u2", "u2", "created"),
        ("user", "u2", "u2", "updated"),
    ]
    store.put_orders([order("a", "u1")], NOW)
    store.delete_user("u1", NOW)
    assert log_of(database)[-1] == ("user", "u1", "u1", "deleted")


def test_replayed_or_refused_orders_leave_no_trace(database: Database) -> None:
    store = store_of(database)
    store.put_users([user("u1")], NOW)
    store.put_orders([order("a")], NOW)
    seq = newest_seq(database)
    store.put_orders([order("a")], later(1))
    with pytest.raises(UnknownUserError):
        store.put_orders([order("b", "ghost")], NOW)
    assert newest_seq(database) == seq


def test_an_order_that_moves_is_logged_for_both_users(database: Database) -> None:
    store = store_of(database)
    store.put_users([user("u1"), user("u2")], NOW)
    store.put_orders([order("a", "u1")], NOW)
    seq = newest_seq(database)
    store.put_orders([order("a", "u2")], NOW)
    assert {entry[2] for entry in log_of(database, seq)} == {"u1", "u2"}


def test_touches_of_a_deleted_user_are_not_logged(database: Database) -> None:
    with database.write() as connection:
        record_touches(connection, [Touches("ghost", [NOW], NOW, 1)], NOW)
    assert log_of(database) == []


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


def test_more_ids_than_one_statement_takes(database: Database) -> None:
    store = store_of(database)
    many = [user(f"u{number}", email=None) for number in range(12_000)]
    assert store.put_users(many, NOW).created == 12_000
    assert len(store.get_users(each.user_id for each in many)) == 12_000
