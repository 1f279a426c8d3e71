"""The current scores, one row per user: all of them anew, or only those of users who changed, with equal results."""

from dataclasses import dataclass
from datetime import date, datetime

import duckdb

from engagement_pipeline.platform.settings import ScoringSettings
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
        removed = _remove_gone(con, -1 if offset is None else offset, revision)
        if full or offset is None or population is None:
            population = estimate_population(con, _FACTS, settings)
            keep_population(con, population, as_of, now)
            rescored = changed = _score_everybody(con, parameters(as_of, population, settings), revision)
        else:
            rescored, changed = _score_changed(con, parameters(as_of, population, settings), offset, revision)
        set_offset(con, CONSUMER, max(seq, offset or 0))
        by_band = dict(con.execute("SELECT band, COUNT(*) FROM engagement_scores GROUP BY band").fetchall())
    return ScoreReport(sum(by_band.values()), rescored, changed, removed, by_band, population)


def _next_revision(con: duckdb.DuckDBPyConnection, now: datetime) -> int:
    # Microseconds, so that a warehouse built anew starts above what an earlier one has published.
    revision = max((get_offset(con, _REVISION) or 0) + 1, int(now.timestamp() * 1_000_000))
    set_offset(con, _REVISION, revision)
    return revision


def _remove_gone(con: duckdb.DuckDBPyConnection, offset: int, revision: int) -> int:
    """Remove rows of users who are no longer in raw_users, and remember them for publishing."""
    # Comparing the two tables is the dearest thing one can do here; counting tells whether there is anything to find:
    # a user without a score is always among the changed ones, so any other difference is users who are gone.
    scores = _one(con, "SELECT COUNT(*) FROM engagement_scores")
    if scores == 0:
        return 0
    unchanged = _one(con, "SELECT COUNT(*) FROM raw_users WHERE changed_seq <= $offset", {"offset": offset})
    rescored = _one(
        con,
        "SELECT COUNT(*) FROM raw_users JOIN engagement_scores USING (user_id) WHERE raw_users.changed_seq > $offset",
        {"offset": offset},
    )
    gone = scores - unchanged - rescored
    if gone == 0:
        return 0
    con.execute(
        "INSERT INTO removed_scores SELECT user_id, $revision FROM engagement_scores"
        " ANTI JOIN raw_users USING (user_id)",
        {"revision": revision},
    )
    con.execute(
        "DELETE FROM engagement_scores"
        " WHERE user_id IN (SELECT user_id FROM removed_scores WHERE revision = $revision)",
        {"revision": revision},
    )
    return gone


def _score_everybody(con: duckdb.DuckDBPyConnection, values: Parameters, revision: int) -> int:
    # A new table is written two to three times as fast as it would be to look up which of its rows were there before;
    # publishing compares with what is published, so that even so only changed scores are written there.
    query = f"SELECT {_ROW}, CAST($revision AS BIGINT) AS revision FROM ({scored(_FACTS)})"  # noqa: S608
    return _one(con, f"CREATE OR REPLACE TABLE engagement_scores AS {query}", {**values, "revision": revision})


def _score_changed(con: duckdb.DuckDBPyConnection, values: Parameters, offset: int, revision: int) -> tuple[int, int]:
    query = f"SELECT {_ROW} FROM ({scored(f'{_FACTS} WHERE changed_seq > $offset')})"  # noqa: S608
    con.execute(f"CREATE OR REPLACE TEMP TABLE rescored AS {query}", {**values, "offset": offset})
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE revised AS
        SELECT
            rescored.*,
            CASE
                WHEN before.score = rescored.score AND before.band = rescored.band THEN before.revision
                ELSE CAST($revision AS BIGINT)
            END AS revision
        FROM rescored LEFT JOIN engagement_scores AS before USING (user_id)
        """,
        {"revision": revision},
    )
    con.execute("DELETE FROM engagement_scores WHERE user_id IN (SELECT user_id FROM revised)")
    rescored = _one(con, "INSERT INTO engagement_scores SELECT * FROM revised")
    changed = _one(con, "SELECT COUNT(*) FROM revised WHERE revision = $revision", {"revision": revision})
    con.execute("DROP TABLE rescored")
    con.execute("DROP TABLE revised")
    return rescored, changed


def _one(con: duckdb.DuckDBPyConnection, query: str, values: Parameters | None = None) -> int:
    row = con.execute(query, values).fetchone()
    if row is None:
        raise RuntimeError("a statement without a result")
    return int(row[0])
