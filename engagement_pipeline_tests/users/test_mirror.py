"""The mirror in the warehouse: equal to the store after any changes, read in parts or whole, and killed in between."""

from datetime import timedelta
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_pipeline.platform import warehouse
from engagement_pipeline.platform.change_log import prune_change_log
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users import mirror
from engagement_pipeline.users.mirror import ForeignStoreError, pull
from engagement_pipeline.users.mirror_rows import USERS
from engagement_pipeline.users.models import OrderStatus
from engagement_pipeline.users.rejects import Reject
from engagement_pipeline.users.store import SqlUserStore, Touches, record_touches
from engagement_pipeline.users.tables import orders, users
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.users.builders import later, newest_seq, order, scratch_database, store_of, user


def reject(line: int) -> Reject:
    return Reject("order", "orders.csv", line, "total_value", "negative", "total_value is negative", f"o{line},u,-1")


def contents(con: duckdb.DuckDBPyConnection) -> dict[str, list[Any]]:
    """All rows but when they changed, which differs between reading changes and reading whole."""
    return {
        "users": con.execute("SELECT * EXCLUDE (changed_seq) FROM raw_users ORDER BY user_id").fetchall(),
        "orders": con.execute("SELECT * EXCLUDE (changed_seq) FROM raw_orders ORDER BY order_id").fetchall(),
        "rejected": con.execute("SELECT * FROM rejected_records ORDER BY record_key").fetchall(),
    }


def read_whole(database: Database) -> dict[str, list[Any]]:
    with warehouse.connect(":memory:") as con:
        assert pull(con, database).full
        return contents(con)


def filled(database: Database) -> SqlUserStore:
    store = store_of(database)
    store.put_users([user("u1", consent=True, preferred_categories=("denim",)), user("u2", email=None)], NOW)
    store.put_orders([order("a", "u1"), order("b", "u2"), order("c", "u2", status=OrderStatus.CANCELLED)], NOW)
    store.record_rejects([reject(1)], NOW)
    return store


def test_first_pull_reads_whole_and_holds_the_stores_values(database: Database, con: duckdb.DuckDBPyConnection) -> None:
    store = filled(database)
    report = pull(con, database)
    assert (report.users, report.orders, report.rejected, report.full) == (2, 3, 1, True)
    assert report.seq == newest_seq(database) == warehouse.get_offset(con, mirror.OFFSET)
    stored = store.get_user("u1")
    assert stored is not None
    row = con.execute(
        "SELECT address_key, preferred_categories, consent, order_count, last_order_at, changed_seq, created_at "
        "FROM raw_users WHERE user_id = 'u1'"
    ).fetchone()
    naive = (NOW - timedelta(days=10)).replace(tzinfo=None)
    assert row == (stored.address_key, ["denim"], True, 1, naive, report.seq, NOW.replace(tzinfo=None))
    assert con.execute("SELECT count(*) FROM raw_orders WHERE status = 'cancelled'").fetchone() == (1,)


def test_then_only_changes(database: Database, con: duckdb.DuckDBPyConnection) -> None:
    store = filled(database)
    before = pull(con, database)
    assert pull(con, database) == mirror.PullReport(seq=before.seq)
    store.put_orders([order("d", "u1", days_ago=1)], later(1))
    with database.write() as connection:
        record_touches(connection, [Touches("u2", [NOW], NOW, 1)], NOW)
    store.record_rejects([reject(2)], NOW)
    report = pull(con, database)
    assert (report.users, report.orders, report.rejected, report.full) == (2, 1, 1, False)
    changed = con.execute("SELECT user_id, changed_seq > $seq FROM raw_users ORDER BY ALL", {"seq": before.seq})
    assert changed.fetchall() == [("u1", True), ("u2", True)]
    assert con.execute("SELECT count(*) FROM raw_orders WHERE changed_seq > $1", [before.seq]).fetchone() == (1,)
    assert contents(con) == read_whole(database)


def test_what_was_bought_comes_along_also_into_a_warehouse_from_before(
    con: duckdb.DuckDBPyConnection, database: Database
) -> None:
    store = store_of(database)
    store.put_users([user("u1")], NOW)
    store.put_orders([order("a")], NOW)
    pull(con, database)
    con.execute("ALTER TABLE raw_orders DROP COLUMN skus")
    store.put_orders([order("b", skus=("DR-101", "AC-801")), order("c")], NOW)
    pull(con, database)
    found = con.execute("SELECT order_id, skus FROM raw_orders ORDER BY order_id").fetchall()
    assert found == [("a", None), ("b", ["DR-101", "AC-801"]), ("c", None)]


def test_a_deleted_user_disappears_with_the_orders_even_if_back_at_once(
    database: Database, con: duckdb.DuckDBPyConnection
) -> None:
    store = filled(database)
    pull(con, database)
    store.delete_user("u2", NOW)
    report = pull(con, database)
    assert report.deleted == 1
    assert contents(con) == read_whole(database)
    store.delete_user("u1", NOW)
    store.put_users([user("u1"), user("u2")], NOW)
    store.put_orders([order("e", "u1")], NOW)
    pull(con, database, batch=1)
    assert contents(con) == read_whole(database)


def test_no_name_and_no_address_reaches_the_warehouse(database: Database, con: duckdb.DuckDBPyConnection) -> None:
    filled(database)
    pull(con, database)
    everything = repr(con.execute("SELECT * FROM raw_users").fetchall())
    assert "@" not in everything
    assert "Ada" not in everything


def test_many_changes_take_the_other_way_in(database: Database, con: duckdb.DuckDBPyConnection) -> None:
    store = filled(database)
    pull(con, database)
    store.put_users([user(f"m{number}", email=None) for number in range(1_500)], NOW)
    store.put_orders([order(f"m{number}", f"m{number}") for number in range(1_500)], NOW)
    assert pull(con, database, batch=1_000).users >= 1_500
    assert contents(con) == read_whole(database)


def test_a_pull_that_dies_is_repeated_without_loss(
    database: Database, con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = filled(database)
    pull(con, database)
    store.put_users([user("u3"), user("u1", consent=False)], NOW)
    store.put_orders([order("f", "u3")], NOW)
    whole = mirror._apply

    def dies(*args: Any) -> Any:
        monkeypatch.setattr(warehouse, "set_offset", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        return whole(*args)

    before = contents(con)
    with monkeypatch.context() as patched:
        patched.setattr(mirror, "_apply", dies)
        with pytest.raises(KeyboardInterrupt):
            pull(con, database)
    monkeypatch.undo()
    assert contents(con) == before
    pull(con, database)
    assert contents(con) == read_whole(database)


def test_a_warehouse_behind_a_pruned_log_reads_whole(database: Database, con: duckdb.DuckDBPyConnection) -> None:
    store = filled(database)
    pull(con, database)
    store.put_orders([order("g", "u1")], NOW)
    store.delete_user("u2", NOW)
    with database.write() as connection:
        assert prune_change_log(connection, later(1), newest_seq(database)) > 0
    report = pull(con, database)
    assert report.full
    assert contents(con) == read_whole(database)


def test_a_warehouse_of_another_store_is_refused(database: Database, con: duckdb.DuckDBPyConnection) -> None:
    filled(database)
    pull(con, database)
    warehouse.set_offset(con, mirror.OFFSET, 10_000)
    with pytest.raises(ForeignStoreError, match="another store"):
        pull(con, database)


def test_the_store_changing_during_the_first_pull_loses_nothing(
    database: Database, con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = filled(database)
    load_table = mirror._load_table

    def meanwhile(*args: Any) -> int:
        loaded = load_table(*args)
        if args[2] is USERS:
            store.put_orders([order("late", "u1", days_ago=1)], NOW)
            store.delete_user("u2", NOW)
        return loaded

    monkeypatch.setattr(mirror, "_load_table", meanwhile)
    pull(con, database)
    monkeypatch.undo()
    assert contents(con) == read_whole(database)


operations = st.lists(
    st.tuples(
        st.sampled_from(["user", "order", "order", "cancel", "delete", "touch", "reject", "pull"]),
        st.integers(0, 3),
        st.integers(0, 6),
    ),
    max_size=30,
)


def _do(store: SqlUserStore, database: Database, operation: str, who: int, what: int) -> None:
    user_id = f"u{who}"
    if operation == "user":
        store.put_users([user(user_id, consent=what % 2 == 0, name=f"Name {what}")], NOW)
    elif operation == "delete":
        store.delete_user(user_id, NOW)
    elif operation == "reject":
        store.record_rejects([reject(what)], NOW)
    elif not store.known_user_ids([user_id]):
        return
    elif operation == "touch":
        with database.write() as connection:
            record_touches(connection, [Touches(user_id, [NOW - timedelta(days=what)], None, what)], NOW)
    else:
        status = OrderStatus.CANCELLED if operation == "cancel" else OrderStatus.DELIVERED
        store.put_orders([order(f"o{what}", user_id, days_ago=what + 1, status=status)], NOW)


@settings(max_examples=40, deadline=None)
@given(operations, st.integers(1, 5))
def test_after_any_operations_the_mirror_equals_one_read_whole(steps: list[tuple[str, int, int]], batch: int) -> None:
    with scratch_database() as database, warehouse.connect(":memory:") as con:
        store = store_of(database)
        for operation, who, what in steps:
            if operation == "pull":
                pull(con, database, batch=batch)
            else:
                _do(store, database, operation, who, what)
        pull(con, database, batch=batch)
        assert contents(con) == read_whole(database)
        with database.read() as connection:
            stored = connection.execute(sa.select(users.c.user_id).order_by(users.c.user_id)).scalars().all()
            kept = connection.execute(sa.select(orders.c.order_id).order_by(orders.c.order_id)).scalars().all()
        assert [row[0] for row in contents(con)["users"]] == list(stored)
        assert [row[0] for row in contents(con)["orders"]] == list(kept)


def test_a_warehouse_that_has_the_texts_of_refused_records_forgets_them(
    database: Database, con: duckdb.DuckDBPyConnection
) -> None:
    filled(database)
    pull(con, database)
    con.execute("ALTER TABLE rejected_records ADD COLUMN original VARCHAR DEFAULT 'Zoe,zoe@example'")
    store_of(database).record_rejects([reject(2)], NOW)
    pull(con, database)
    assert "original" not in {row[0] for row in con.execute("DESCRIBE rejected_records").fetchall()}
    assert con.execute("SELECT count(*) FROM rejected_records").fetchone() == (2,)
