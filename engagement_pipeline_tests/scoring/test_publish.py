"""Publishing: changed rows only, once, whatever happens between the two stores."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa

from engagement_pipeline.platform import warehouse
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.scoring import publish as publishing
from engagement_pipeline.scoring.formula import Population
from engagement_pipeline.scoring.population import newest_population, published_population
from engagement_pipeline.scoring.publish import Moved, publish
from engagement_pipeline.scoring.scores import rescore
from engagement_pipeline.scoring.tables import published_revision, scores
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.scoring.facts import AS_OF, SETTINGS, UserFacts, days_ago, write_users

LATER = NOW + timedelta(hours=1)


class CrashError(Exception):
    pass


class CrashingDatabase:
    """The operational store until its n-th write, at the end of which the process dies."""

    def __init__(self, database: Database, writes: int, *, after_commit: bool) -> None:
        self._database, self._writes, self._after_commit = database, writes, after_commit
        self.read = database.read

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        self._writes -= 1
        with self._database.write() as connection:
            yield connection
            if self._writes == 0 and not self._after_commit:
                raise CrashError
        if self._writes == 0:
            raise CrashError


def users(count: int, days: int = 20) -> dict[str, UserFacts]:
    return {f"user-{number:03}": UserFacts(1 + number % 7, 30, days_ago(days + number)) for number in range(count)}


def score(con: duckdb.DuckDBPyConnection, *, full: bool = False) -> None:
    rescore(con, AS_OF, SETTINGS, full=full, now=NOW)


def published(database: Database) -> dict[str, tuple[float, str]]:
    with database.read() as connection:
        return {row.user_id: (row.score, row.band) for row in connection.execute(sa.select(scores))}


def in_warehouse(con: duckdb.DuckDBPyConnection) -> dict[str, tuple[float, str]]:
    return {row[0]: row[1:] for row in con.execute("SELECT user_id, score, band FROM engagement_scores").fetchall()}


def test_publishes_everything_once_then_only_what_changed(con: duckdb.DuckDBPyConnection, database: Database) -> None:
    write_users(con, users(30), seq=1)
    score(con)
    assert publish(con, database, NOW) == 30
    assert published(database) == in_warehouse(con)
    assert publish(con, database, LATER) == 0
    write_users(con, {"user-003": UserFacts(9, 30, days_ago(1)), "user-004": users(5)["user-004"]}, seq=2)
    score(con)
    assert publish(con, database, LATER) == 1
    assert published(database) == in_warehouse(con)
    with database.read() as connection:
        changed = sa.select(scores.c.user_id).where(scores.c.published_at == LATER)
        assert connection.execute(changed).scalars().all() == ["user-003"]


def test_a_full_run_that_moves_no_score_publishes_nothing(con: duckdb.DuckDBPyConnection, database: Database) -> None:
    write_users(con, users(30), seq=1)
    score(con)
    publish(con, database, NOW)
    score(con, full=True)
    assert publish(con, database, LATER) == 0


def test_users_who_are_gone_are_removed(con: duckdb.DuckDBPyConnection, database: Database) -> None:
    write_users(con, users(5), seq=1)
    score(con)
    publish(con, database, NOW)
    con.execute("DELETE FROM raw_users WHERE user_id IN ('user-001', 'user-002')")
    score(con)
    # One comes back before that was published.
    write_users(con, {"user-002": UserFacts(3, 30, days_ago(2))}, seq=2)
    score(con)
    assert publish(con, database, LATER) == 2
    assert published(database) == in_warehouse(con)
    assert "user-001" not in published(database)
    assert con.execute("SELECT COUNT(*) FROM removed_scores").fetchall() == [(0,)]


@pytest.mark.parametrize("after_commit", [True, False])
@pytest.mark.parametrize("writes", [1, 2, 3])
def test_a_crash_between_the_stores_neither_repeats_nor_forgets(
    con: duckdb.DuckDBPyConnection,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    writes: int,
    after_commit: bool,
) -> None:
    monkeypatch.setattr(publishing, "BATCH", 10)
    write_users(con, users(25), seq=1)
    score(con)
    with pytest.raises(CrashError):
        publish(con, CrashingDatabase(database, writes, after_commit=after_commit), NOW)  # type: ignore[arg-type]
    there = len(published(database))
    assert publish(con, database, LATER) == 25 - there
    assert published(database) == in_warehouse(con)
    with database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(published_revision)).scalar_one() == 1
    assert publish(con, database, LATER) == 0


def test_a_warehouse_built_anew_takes_over(con: duckdb.DuckDBPyConnection, database: Database, tmp_path: Path) -> None:
    write_users(con, users(10), seq=1)
    score(con)
    publish(con, database, NOW)
    with warehouse.connect(tmp_path / "new.duckdb") as new:
        write_users(new, {**users(8), "user-000": UserFacts(8, 30, days_ago(1))}, seq=1)
        score(new)
        assert publish(new, database, LATER) > 0
        assert published(database) == in_warehouse(new)


def test_nothing_to_publish(con: duckdb.DuckDBPyConnection, database: Database) -> None:
    assert publish(con, database, NOW) == 0


def test_the_population_in_use_is_published_with_the_scores(con: duckdb.DuckDBPyConnection, database: Database) -> None:
    def in_use() -> Population | None:
        with database.read() as connection:
            return published_population(connection)

    assert publish(con, database, NOW) == 0
    assert in_use() is None
    write_users(con, users(30), seq=1)
    score(con)
    publish(con, database, NOW)
    first = newest_population(con)
    assert first is not None
    assert in_use() == first
    # A run between two full ones keeps to it, whoever comes in.
    write_users(con, {"user-040": UserFacts(9, 900, days_ago(1))}, seq=2)
    score(con)
    publish(con, database, LATER)
    assert in_use() == first
    score(con, full=True)
    publish(con, database, LATER)
    assert in_use() == newest_population(con) != first


def test_who_wants_to_hears_of_scores_that_have_moved(
    con: duckdb.DuckDBPyConnection, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, float, str]] = []
    monkeypatch.setattr(publishing, "BATCH", 4)
    write_users(con, users(10), seq=1)
    score(con)
    publish(con, database, NOW, lambda moved, now: told.extend(moved))
    assert {user_id: (score, band) for user_id, score, band in told} == published(database)
    assert len(told) == 10
    told.clear()
    score(con, full=True)
    publish(con, database, LATER, lambda moved, now: told.extend(moved))
    assert told == []


def test_what_was_not_heard_is_not_published_and_told_again(
    con: duckdb.DuckDBPyConnection, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def crash(moved: Sequence[Moved], now: datetime) -> None:
        told.extend(each.user_id for each in moved)
        if len(told) > 4:
            raise CrashError

    monkeypatch.setattr(publishing, "BATCH", 4)
    write_users(con, users(10), seq=1)
    score(con)
    with pytest.raises(CrashError):
        publish(con, database, NOW, crash)
    assert len(published(database)) == 4
    publish(con, database, NOW, lambda moved, now: told.extend(each.user_id for each in moved))
    assert set(told) == set(published(database))
    # Those that were told and not published, and no others, a second time.
    assert len(told) == 10 + 4
