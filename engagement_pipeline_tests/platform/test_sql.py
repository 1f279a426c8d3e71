"""The operational store's engine: moments in UTC, transactions whole, two writers without an error."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from engagement_pipeline.platform import facts, run_failures
from engagement_pipeline.platform.sql import Database, insert_or_ignore, upsert
from engagement_pipeline_tests.conftest import NOW


def failure(run_id: str, moment: datetime = NOW) -> dict[str, object]:
    return {"run_id": run_id, "job": "a_job", "steps": "a_step", "error": "ValueError", "failed_at": moment}


def test_moments_come_back_in_utc(database: Database) -> None:
    berlin = datetime(2026, 3, 1, 12, 0, tzinfo=timezone(timedelta(hours=1)))
    with database.write() as connection:
        insert_or_ignore(connection, run_failures.run_failures, [failure("r1", berlin)])
    with database.read() as connection:
        [found] = run_failures.since(connection, NOW - timedelta(days=30))
    assert found.failed_at == datetime(2026, 3, 1, 11, 0, tzinfo=timezone.utc)
    assert found.failed_at.utcoffset() == timedelta(0)


def test_a_moment_without_a_zone_is_refused(database: Database) -> None:
    naive = NOW.replace(tzinfo=None)
    with pytest.raises(sa.exc.StatementError, match="without a time zone"), database.write() as connection:
        insert_or_ignore(connection, run_failures.run_failures, [failure("r1", naive)])


def test_an_error_does_not_quote_its_values(database: Database) -> None:
    with pytest.raises(sa.exc.IntegrityError) as refused, database.write() as connection:
        connection.execute(sa.insert(run_failures.run_failures), [{**failure("r1"), "job": None, "steps": "Ada"}])
    assert "Ada" not in str(refused.value)


def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as connection:  # noqa: PT012 - both belong to it
        facts.put(connection, "name", "value")
        raise ZeroDivisionError
    with database.read() as connection:
        assert facts.get(connection, "name") is None


def test_a_transaction_within_one_stands_or_falls_with_it(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as connection:  # noqa: PT012 - all belong to it
        facts.put(connection, "outer", "value")
        with database.write() as inner:
            facts.put(inner, "inner", "value")
        with database.read() as looking:
            assert facts.get(looking, "inner") == "value"
        raise ZeroDivisionError
    with database.read() as connection:
        assert facts.get(connection, "outer") is None
        assert facts.get(connection, "inner") is None


def test_what_fails_within_a_transaction_leaves_nothing_in_it(database: Database) -> None:
    with database.write() as connection:
        facts.put(connection, "outer", "value")
        with pytest.raises(sa.exc.IntegrityError), database.write() as inner:  # noqa: PT012 - both belong to it
            facts.put(inner, "inner", "value")
            inner.execute(sa.insert(run_failures.run_failures), [{**failure("r1"), "job": None}])
        with database.write() as another:
            facts.put(another, "another", "value")
    with database.read() as connection:
        assert [facts.get(connection, name) for name in ("outer", "inner", "another")] == ["value", None, "value"]


def test_transactions_of_two_threads_are_two(database: Database) -> None:
    seen = []
    with database.write() as connection:
        facts.put(connection, "name", "value")
        with ThreadPoolExecutor(1) as pool:
            seen.append(pool.submit(_fact, database, "name").result())
        seen.append(_fact(database, "name"))
    assert [*seen, _fact(database, "name")] == [None, "value", "value"]


def _fact(database: Database, name: str) -> str | None:
    with database.read() as connection:
        return facts.get(connection, name)


def test_insert_or_ignore_counts_what_was_new(database: Database) -> None:
    with database.write() as connection:
        assert insert_or_ignore(connection, run_failures.run_failures, [failure("r1"), failure("r2")]) == 2
        assert insert_or_ignore(connection, run_failures.run_failures, [failure("r2"), failure("r3")]) == 1


def test_upsert_replaces_the_named_columns(database: Database) -> None:
    with database.write() as connection:
        insert_or_ignore(connection, run_failures.run_failures, [failure("r1")])
        changed = {**failure("r1"), "error": "KeyError", "job": "another"}
        upsert(connection, run_failures.run_failures, [changed], ["error"])
        [row] = run_failures.since(connection, NOW)
    assert (row.error, row.job) == ("KeyError", "a_job")


def test_many_writers_wait_for_each_other(database: Database) -> None:
    errors: list[Exception] = []

    def add(number: int) -> None:
        try:
            for step in range(10):
                with database.write() as connection:
                    # Reads before it writes: what fails under two writers unless the lock is taken at the beginning.
                    facts.get(connection, f"{number}-{step}")
                    facts.put(connection, f"{number}-{step}", "written")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with database.read() as connection:
        written = connection.execute(sa.select(sa.func.count()).select_from(facts.store_facts)).scalar_one()
    assert written == 40
