"""The current scores, one row per user: all of them anew, or only those of users who changed, with equal results."""

from dataclasses import dataclass
from datetime import date, datetime

import duckdb

from engagement_pipeline.platform.settings_groups import ScoringSettings
from engagement_pipeline.platform.warehouse import get_offset, set_offset, transaction
from engagement_pipeline.scoring.formula import Parameters, Population, estimate_population, parameters, scored
from engagement_pipeline.scoring.population import ensure_tables, keep_population, newest_population

CONSUMER = "engagement_scores"
_REVISION = "engagement_scores_revision"

_FACTS = """
    SELECT user_id, order_days, average_order_value, first_order_at, last_order_at, last_email_at, changed_seq
    FROM raw_users
"""

_ROW = """
    user_id, score, band, CAST($as_of AS DATE) AS as_of, CAST(n AS INTEGER) AS order_days,
    CAST(days_since_last_order AS INTEGER) AS days_since_last_order, aov AS average_order_value, changed_seq
"""


@dataclass(frozen=True)
class ScoreReport:
    """What a run did.

    Attributes:
        users: rows in engagement_scores afterwards.
        rescored: how many of them this run computed.
        changed: how many got a new revision: in a full run all, else those whose score or band moved.
        removed: rows taken away because their user is gone.
        by_band: users by band afterwards.
        population: the parameters used.
    """

    users: int
    rescored: int
    changed: int
    removed: int
    by_band: dict[str, int]
    population: Population


def rescore(
    con: duckdb.DuckDBPyConnection, as_of: date, settings: ScoringSettings, *, full: bool, now: datetime
) -> ScoreReport:
    """Bring engagement_scores up to date with raw_users, in one transaction.

    Args:
        con: the warehouse.
        as_of: the day to score as of (UTC).
        settings: the formula's settings.
        full: estimate the population anew and rescore everybody, as the passing days require; otherwise only users
            whose row changed since the last run, against the population that is kept. The first run is always full.
        now: the moment recorded as that of the estimate.
    """
    ensure_tables(con)
    with transaction(con):
        offset = get_offset(con, CONSUMER)
        seq = _one(con, "SELECT COALESCE(MAX(changed_seq), 0) FROM raw_users")
        population = newest_population(con)
        revision = _next_revision(con, now)
        if full or offset is None or population is None:
            population = estimate_population(con, _FACTS, settings)
            keep_population(con, population, as_of, now)
            removed = 0 if offset is None else _remember_gone(con, *_count_changed(con, offset), revision)
            rescored = changed = _score_everybody(con, parameters(as_of, population, settings), revision)
        else:
            values = parameters(as_of, population, settings)
            rescored, changed, removed = _score_changed(con, values, offset, revision)
        set_offset(con, CONSUMER, max(seq, offset or 0))
        by_band = dict(con.execute("SELECT band, COUNT(*) FROM engagement_scores GROUP BY band").fetchall())
    return ScoreReport(sum(by_band.values()), rescored, changed, removed, by_band, population)


def _next_revision(con: duckdb.DuckDBPyConnection, now: datetime) -> int:
    # Microseconds, so that a warehouse built anew starts above what an earlier one has published.
    revision = max((get_offset(con, _REVISION) or 0) + 1, int(now.timestamp() * 1_000_000))
    set_offset(con, _REVISION, revision)
    return revision


def _score_everybody(con: duckdb.DuckDBPyConnection, values: Parameters, revision: int) -> int:
    # A new table is written two to three times as fast as it would be to look up which of its rows were there before;
    # publishing compares with what is published, so that even so only changed scores are written there.
    con.execute("DROP TABLE engagement_scores")
    ensure_tables(con)
    query = f"SELECT {_ROW}, CAST($revision AS BIGINT) FROM ({scored(_FACTS)})"  # noqa: S608
    return _one(con, f"INSERT INTO engagement_scores {query}", {**values, "revision": revision})


def _score_changed(
    con: duckdb.DuckDBPyConnection, values: Parameters, offset: int, revision: int
) -> tuple[int, int, int]:
    """Replace the rows of users who changed and remove those of users who are gone; return all three counts."""
    query = f"SELECT {_ROW} FROM ({scored(f'{_FACTS} WHERE changed_seq > $offset')})"  # noqa: S608
    con.execute(f"CREATE OR REPLACE TEMP TABLE rescored AS {query}", {**values, "offset": offset})
    # The only look at all user ids: from here on, rows of the large table are found by their number.
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE former AS
        SELECT scores.rowid AS place, scores.user_id, scores.score, scores.band, scores.revision
        FROM rescored JOIN engagement_scores AS scores USING (user_id)
        """
    )
    known = _one(con, "SELECT COUNT(*) FROM former")
    removed = _remember_gone(con, _one(con, "SELECT COUNT(*) FROM rescored"), known, revision)
    if removed:
        con.execute(
            "DELETE FROM engagement_scores"
            " WHERE user_id IN (SELECT user_id FROM removed_scores WHERE revision = $revision)",
            {"revision": revision},
        )
    con.execute("DELETE FROM engagement_scores WHERE rowid IN (SELECT place FROM former)")
    rescored = _one(
        con,
        """
        INSERT INTO engagement_scores
        SELECT
            rescored.*,
            CASE
                WHEN former.score = rescored.score AND former.band = rescored.band THEN former.revision
                ELSE CAST($revision AS BIGINT)
            END
        FROM rescored LEFT JOIN former USING (user_id)
        """,
        {"revision": revision},
    )
    kept = _one(con, "SELECT COUNT(*) FROM rescored JOIN former USING (user_id, score, band)")
    con.execute("DROP TABLE rescored")
    con.execute("DROP TABLE former")
    return rescored, rescored - kept, removed


def _count_changed(con: duckdb.DuckDBPyConnection, offset: int) -> tuple[int, int]:
    """Return how many users have changed since the last run, and how many of them have a score."""
    changed = "(SELECT user_id FROM raw_users WHERE changed_seq > $offset)"
    known = f"SELECT COUNT(*) FROM {changed} JOIN engagement_scores USING (user_id)"  # noqa: S608
    values: Parameters = {"offset": offset}
    return _one(con, f"SELECT COUNT(*) FROM {changed}", values), _one(con, known, values)  # noqa: S608


def _remember_gone(con: duckdb.DuckDBPyConnection, changed: int, known: int, revision: int) -> int:
    """Note for publishing who has a score but is no longer in raw_users, and forget their history; return how many.

    Args:
        con: the warehouse.
        changed: how many users have changed since the last run.
        known: how many of those have a score already.
        revision: of this run.
    """
    # Comparing the two tables is the dearest thing one can do here; counting tells whether there is anything to find:
    # users without a score are always among the changed ones, so any other difference is users who are gone.
    unchanged = _one(con, "SELECT COUNT(*) FROM raw_users") - changed
    gone = _one(con, "SELECT COUNT(*) FROM engagement_scores") - unchanged - known
    if gone <= 0:
        return 0
    con.execute(
        "INSERT INTO removed_scores"
        " SELECT user_id, $revision FROM engagement_scores ANTI JOIN raw_users USING (user_id)",
        {"revision": revision},
    )
    # As it would be, were it computed again from the orders that are left.
    con.execute(
        "DELETE FROM engagement_score_history"
        " WHERE user_id IN (SELECT user_id FROM removed_scores WHERE revision = $revision)",
        {"revision": revision},
    )
    return gone


def _one(con: duckdb.DuckDBPyConnection, query: str, values: Parameters | None = None) -> int:
    row = con.execute(query, values).fetchone()
    if row is None:
        raise RuntimeError("a statement without a result")
    return int(row[0])
