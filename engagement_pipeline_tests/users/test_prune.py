"""Pruning the change log: only what is old and read, and never the newest entry."""

from datetime import timedelta

from engagement_pipeline.platform.change_log import prune_change_log, pruned_to
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.users.builders import log_of, newest_seq, store_of, user


def fill(database: Database) -> None:
    store = store_of(database)
    for days_ago in (30, 20, 10, 0):
        store.put_users([user(f"u{days_ago}")], NOW - timedelta(days=days_ago))


def prune(database: Database, before_days: float, up_to_seq: int) -> int:
    with database.write() as connection:
        return prune_change_log(connection, NOW - timedelta(days=before_days), up_to_seq)


def test_old_entries_go(database: Database) -> None:
    fill(database)
    newest = newest_seq(database)
    assert prune(database, 15, newest) == 2
    assert [entry[1] for entry in log_of(database)] == ["u10", "u0"]
    with database.read() as connection:
        assert pruned_to(connection) == newest - 2
    assert prune(database, 15, newest) == 0


def test_entries_that_a_reader_still_needs_stay(database: Database) -> None:
    fill(database)
    assert prune(database, 15, newest_seq(database) - 3) == 1
    assert prune(database, 15, 0) == 0


def test_the_newest_entry_stays(database: Database) -> None:
    fill(database)
    newest = newest_seq(database)
    assert prune(database, -1, newest) == 3
    assert newest_seq(database) == newest


def test_an_empty_log(database: Database) -> None:
    assert prune(database, 0, 100) == 0
