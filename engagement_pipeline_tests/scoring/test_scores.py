"""Current scores: full and incremental runs agree, users who are gone go, nothing is half done."""

from datetime import date, timedelta

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_pipeline.platform.warehouse import get_offset
from engagement_pipeline.scoring.population import newest_population
from engagement_pipeline.scoring.scores import CONSUMER, ScoreReport, rescore
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.scoring.facts import (
    AS_OF,
    SETTINGS,
    UserFacts,
    days_ago,
    load_sample_orders,
    score_all,
    write_users,
)

LOYAL = UserFacts(6, 40, days_ago(12), first_order_at=days_ago(300))
QUIET = UserFacts(2, 20, days_ago(200), first_order_at=days_ago(280))
NEW = UserFacts(0, 0, None)


def run(con: duckdb.DuckDBPyConnection, *, full: bool, as_of: date = AS_OF) -> ScoreReport:
    return rescore(con, as_of, SETTINGS, full=full, now=NOW)


def rows(con: duckdb.DuckDBPyConnection, columns: str = "*") -> dict[str, tuple[object, ...]]:
    found = con.execute(f"SELECT user_id, {columns} FROM engagement_scores").fetchall()
    assert len({row[0] for row in found}) == len(found)
    return {row[0]: row[1:] for row in found}


def test_full_run_scores_everybody(con: duckdb.DuckDBPyConnection) -> None:
    write_users(con, {"loyal": LOYAL, "quiet": QUIET, "new": NEW}, seq=4)
    report = run(con, full=True)
    assert (report.users, report.rescored, report.changed, report.removed) == (3, 3, 3, 0)
    assert report.population == newest_population(con)
    expected = score_all([LOYAL, QUIET, NEW], report.population)
    found = rows(con, "score, band")
    assert [found["loyal"], found["quiet"], found["new"]] == [each[:2] for each in expected]
    assert rows(con, "as_of, order_days, days_since_last_order, average_order_value, changed_seq") == {
        "loyal": (AS_OF, 6, 12, 40.0, 4),
        "quiet": (AS_OF, 2, 200, 20.0, 4),
        "new": (AS_OF, 0, None, 0.0, 4),
    }
    assert sum(report.by_band.values()) == 3


@pytest.mark.parametrize("full", [True, False])
def test_who_is_gone_has_no_history_either(con: duckdb.DuckDBPyConnection, full: bool) -> None:
    write_users(con, {"loyal": LOYAL, "quiet": QUIET}, seq=1)
    run(con, full=True)
    con.execute("INSERT INTO engagement_score_history SELECT as_of, user_id, score, band FROM engagement_scores")
    con.execute("DELETE FROM raw_users WHERE user_id = 'quiet'")
    run(con, full=full)
    assert con.execute("SELECT DISTINCT user_id FROM engagement_score_history").fetchall() == [("loyal",)]


def test_the_first_run_is_full_whatever_was_asked(con: duckdb.DuckDBPyConnection) -> None:
    write_users(con, {"loyal": LOYAL, "quiet": QUIET}, seq=0)
    assert run(con, full=False).users == 2


def test_an_empty_warehouse_can_be_scored(con: duckdb.DuckDBPyConnection) -> None:
    write_users(con, {}, seq=0)
    assert run(con, full=False).users == 0
    write_users(con, {"loyal": LOYAL}, seq=1)
    assert run(con, full=False).users == 1


def test_between_full_runs_only_changed_users_are_scored_against_the_kept_population(
    con: duckdb.DuckDBPyConnection,
) -> None:
    write_users(con, {"loyal": LOYAL, "quiet": QUIET}, seq=1)
    population = run(con, full=True).population
    before = rows(con, "score")
    write_users(con, {"quiet": QUIET.changed(last_order_at=days_ago(1), order_days=3), "new": NEW}, seq=2)
    report = run(con, full=False)
    assert (report.users, report.rescored, report.changed) == (3, 2, 2)
    assert report.population == population
    after = rows(con, "score")
    assert after["loyal"] == before["loyal"]
    assert after["quiet"][0] > before["quiet"][0]  # type: ignore[operator]
    assert run(con, full=False).rescored == 0


def test_revision_stays_where_the_score_does(con: duckdb.DuckDBPyConnection) -> None:
    write_users(con, {"loyal": LOYAL, "quiet": QUIET}, seq=1)
    run(con, full=True)
    before = rows(con, "revision")
    write_users(con, {"loyal": LOYAL, "quiet": QUIET.changed(last_order_at=days_ago(3))}, seq=2)
    assert run(con, full=False).changed == 1
    after = rows(con, "revision")
    assert after["loyal"] == before["loyal"]
    assert after["quiet"] > before["quiet"]


@pytest.mark.parametrize("full", [True, False])
def test_users_who_are_gone_lose_their_score(con: duckdb.DuckDBPyConnection, full: bool) -> None:
    write_users(con, {"loyal": LOYAL, "quiet": QUIET}, seq=1)
    run(con, full=True)
    con.execute("DELETE FROM raw_users WHERE user_id = 'loyal'")
    # One comes for each that goes, so that the tables' sizes alone tell nothing.
    write_users(con, {"new": NEW}, seq=2)
    assert run(con, full=full).removed == 1
    assert set(rows(con)) == {"quiet", "new"}
    assert con.execute("SELECT user_id FROM removed_scores").fetchall() == [("loyal",)]


def test_a_failure_changes_nothing(con: duckdb.DuckDBPyConnection) -> None:
    write_users(con, {"loyal": LOYAL}, seq=1)
    run(con, full=True)
    before, offset = rows(con), get_offset(con, CONSUMER)
    # The last statement of the run fails: by then all rows are written.
    con.execute("CREATE TABLE kept AS FROM offsets")
    con.execute("DROP TABLE offsets")
    con.execute(
        "CREATE TABLE offsets (consumer VARCHAR, seq BIGINT CHECK (consumer <> 'engagement_scores' OR seq < 2))"
    )
    con.execute("INSERT INTO offsets FROM kept")
    write_users(con, {"quiet": QUIET}, seq=2)
    for full in (True, False):
        with pytest.raises(duckdb.Error):
            run(con, full=full)
        assert rows(con) == before
        assert get_offset(con, CONSUMER) == offset
        assert con.execute("SELECT COUNT(*) FROM population_parameters").fetchall() == [(1,)]


FACTS = st.builds(
    UserFacts,
    order_days=st.integers(0, 12),
    average_order_value=st.floats(0, 300).map(lambda value: round(value, 2)),
    last_order_at=st.integers(0, 400).map(days_ago),
    last_email_at=st.none() | st.integers(0, 12).map(days_ago),
    first_order_at=st.just(days_ago(500)),
)
CHANGES = st.dictionaries(st.sampled_from("abcdef"), st.none() | FACTS, max_size=4)


COLUMNS = "score, band, order_days, days_since_last_order, average_order_value, as_of"


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.sampled_from("abcdef"), FACTS), st.lists(CHANGES, max_size=4))
def test_rescoring_the_changed_equals_rescoring_everybody(
    first: dict[str, UserFacts], changes: list[dict[str, UserFacts | None]]
) -> None:
    with duckdb.connect() as con:
        write_users(con, first, seq=1)
        run(con, full=True)
        for seq, change in enumerate(changes, start=2):
            write_users(con, {user_id: user for user_id, user in change.items() if user is not None}, seq)
            gone = [user_id for user_id, user in change.items() if user is None]
            con.execute("DELETE FROM raw_users WHERE list_contains(?, user_id)", [gone])
            run(con, full=False)
        in_steps = rows(con, COLUMNS)
        assert in_steps == everybody_as_changed(con, seq=100)
        assert set(in_steps) == {row[0] for row in con.execute("SELECT user_id FROM raw_users").fetchall()}
        # The full run estimates the population anew, and what follows it keeps that.
        run(con, full=True)
        assert rows(con, COLUMNS) == everybody_as_changed(con, seq=200)


def everybody_as_changed(con: duckdb.DuckDBPyConnection, seq: int) -> dict[str, tuple[object, ...]]:
    con.execute("UPDATE raw_users SET changed_seq = ?", [seq])
    report = run(con, full=False)
    assert report.rescored == report.users
    assert report.changed == 0
    return rows(con, COLUMNS)


def test_the_daily_run_lets_silence_grow(con: duckdb.DuckDBPyConnection) -> None:
    write_users(con, {"loyal": LOYAL, "quiet": QUIET}, seq=1)
    today = {user_id: row[0] for user_id, row in rows_after(con, AS_OF).items()}
    later = {user_id: row[0] for user_id, row in rows_after(con, AS_OF + timedelta(days=30)).items()}
    assert all(later[user_id] < today[user_id] for user_id in today)  # type: ignore[operator]


def rows_after(con: duckdb.DuckDBPyConnection, as_of: date) -> dict[str, tuple[object, ...]]:
    run(con, full=True, as_of=as_of)
    return rows(con, "score")


def test_history_of_a_day_is_built_from_earlier_orders_and_replaced(con: duckdb.DuckDBPyConnection) -> None:
    from engagement_pipeline.scoring.history import write_day

    load_sample_orders(con)
    assert write_day(con, date(1997, 2, 1), SETTINGS) == 7846
    before = con.execute("SELECT * FROM engagement_score_history ORDER BY ALL").fetchall()
    con.execute("DELETE FROM raw_orders WHERE ordered_at >= '1997-02-01'")
    assert write_day(con, date(1997, 2, 1), SETTINGS) == 7846
    assert con.execute("SELECT * FROM engagement_score_history ORDER BY ALL").fetchall() == before
    assert write_day(con, date(1997, 1, 2), SETTINGS) < 7846
    assert con.execute("SELECT DISTINCT as_of FROM engagement_score_history ORDER BY as_of").fetchall() == [
        (date(1997, 1, 2),),
        (date(1997, 2, 1),),
    ]
