"""Publishes changed scores to the operational store, where the API and the dashboard read them.

Each batch is one transaction there, and the last one records how far we are. A crash between the two stores therefore
repeats batches at worst, and a repeated row that is equal to what is published is not written again.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import duckdb
import sqlalchemy as sa

from engagement_pipeline.platform.sql import Database, upsert
from engagement_pipeline.platform.warehouse import get_offset, insert_rows, set_offset, transaction
from engagement_pipeline.scoring.population import ensure_tables, publish_population
from engagement_pipeline.scoring.tables import published_revision, scores
from engagement_pipeline.users.derived import chunks

BATCH = 10_000
_NAME = "engagement_scores"
_OFFSET = "published_scores"


class Moved(NamedTuple):
    """A score that is not the published one."""

    user_id: str
    score: float
    band: str


# Is given scores before they are published, and the moment of publishing.
Tell = Callable[[Sequence[Moved], datetime], object]


def publish(con: duckdb.DuckDBPyConnection, database: Database, now: datetime, tell: Tell | None = None) -> int:
    """Bring the operational table `scores` up to date with the warehouse.

    A published row keeps the `as_of` of the day on which its score or band last moved. The population's parameters go
    first, so that a score computed there meanwhile is already the one to come.

    Args:
        con: the warehouse.
        database: the operational store.
        now: the moment recorded as that of publishing.
        tell: hears of the scores that have moved, each at least once, before they are published.

    Returns:
        How many rows of scores were written or removed there.
    """
    ensure_tables(con)
    publish_population(con, database, now)
    if get_offset(con, _OFFSET) is None:
        # This warehouse has never published here: whatever is there came from another one.
        published, removed = -1, _remove_strangers(con, database)
    else:
        published, removed = _published(database), 0
    newest = con.execute(
        "SELECT MAX(revision)"
        " FROM (SELECT revision FROM engagement_scores UNION ALL SELECT revision FROM removed_scores)"
    ).fetchone()
    revision = -1 if newest is None or newest[0] is None else int(newest[0])
    if revision <= published:
        return removed
    removed += _remove(database, _gone(con, published))
    written = _write(con, database, published, revision, now, tell)
    with transaction(con):
        con.execute("DELETE FROM removed_scores WHERE revision <= ?", [revision])
        set_offset(con, _OFFSET, revision)
    return removed + written


def _published(database: Database) -> int:
    query = sa.select(published_revision.c.revision).where(published_revision.c.name == _NAME)
    with database.read() as connection:
        revision = connection.execute(query).scalar_one_or_none()
    return -1 if revision is None else revision


def _write(
    con: duckdb.DuckDBPyConnection, database: Database, published: int, revision: int, now: datetime, tell: Tell | None
) -> int:
    changed = con.execute(
        "SELECT user_id, score, band, as_of FROM engagement_scores WHERE revision > ? ORDER BY user_id", [published]
    )
    written = 0
    batch = changed.fetchmany(BATCH)
    while True:
        rows = [
            {"user_id": user_id, "score": score, "band": band, "as_of": as_of, "published_at": now}
            for user_id, score, band, as_of in batch
        ]
        batch = changed.fetchmany(BATCH)
        if tell is not None and (moved := _moved(database, rows)):
            tell(moved, now)
        with database.write() as connection:
            written += upsert(
                connection,
                scores,
                rows,
                ["score", "band", "as_of", "published_at"],
                unless_equal=["score", "band"],
            )
            if not batch:
                upsert(connection, published_revision, [{"name": _NAME, "revision": revision}], ["revision"])
                return written


def _moved(database: Database, rows: Sequence[dict[str, Any]]) -> list[Moved]:
    known: dict[str, tuple[float, str]] = {}
    with database.read() as connection:
        for chunk in chunks(row["user_id"] for row in rows):
            query = sa.select(scores.c.user_id, scores.c.score, scores.c.band).where(scores.c.user_id.in_(chunk))
            known |= {row.user_id: (row.score, row.band) for row in connection.execute(query)}
    return [
        Moved(row["user_id"], row["score"], row["band"])
        for row in rows
        if known.get(row["user_id"]) != (row["score"], row["band"])
    ]


def _gone(con: duckdb.DuckDBPyConnection, published: int) -> Iterator[list[str]]:
    # A user may have come back since.
    gone = con.execute(
        "SELECT DISTINCT user_id FROM removed_scores ANTI JOIN engagement_scores USING (user_id) WHERE revision > ?",
        [published],
    )
    while batch := gone.fetchmany(BATCH):
        yield [user_id for (user_id,) in batch]


def _remove(database: Database, batches: Iterable[list[str]]) -> int:
    removed = 0
    for user_ids in batches:
        with database.write() as connection:
            statement = sa.delete(scores).where(scores.c.user_id == sa.bindparam("gone"))
            removed += connection.execute(statement, [{"gone": user_id} for user_id in user_ids]).rowcount
    return removed


def _remove_strangers(con: duckdb.DuckDBPyConnection, database: Database) -> int:
    con.execute("CREATE OR REPLACE TEMP TABLE published_users (user_id VARCHAR)")
    after = ""
    while True:
        page = sa.select(scores.c.user_id).where(scores.c.user_id > after).order_by(scores.c.user_id).limit(BATCH)
        with database.read() as connection:
            user_ids = connection.execute(page).scalars().all()
        if not user_ids:
            break
        insert_rows(con, "published_users", [{"user_id": user_id} for user_id in user_ids])
        after = user_ids[-1]
    strangers = con.execute("SELECT user_id FROM published_users ANTI JOIN engagement_scores USING (user_id)")
    removed = 0
    while batch := strangers.fetchmany(BATCH):
        removed += _remove(database, [[user_id for (user_id,) in batch]])
    con.execute("DROP TABLE published_users")
    return removed
