"""The population's parameters as a table: estimated anew by each full run, kept for the runs in between."""

from dataclasses import asdict
from datetime import date, datetime, timezone

import duckdb
import sqlalchemy as sa

from engagement_pipeline.platform import published
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.platform.warehouse import read_sql
from engagement_pipeline.scoring.formula import Population

_NAME = "population"


def ensure_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Create the scoring room's warehouse tables where they do not exist."""
    con.execute(read_sql(__package__, "schema"))


def newest_population(con: duckdb.DuckDBPyConnection) -> Population | None:
    """Return the parameters in use, or None before the first estimate; works on a read-only warehouse."""
    if not con.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'population_parameters'").fetchall():
        return None
    # By place, not by time: two runs may bear the same moment.
    row = con.execute(
        "SELECT mean_gap_days, median_order_value, users FROM population_parameters ORDER BY rowid DESC LIMIT 1"
    ).fetchone()
    return None if row is None else Population(mean_gap_days=row[0], median_order_value=row[1], users=row[2])


def keep_population(con: duckdb.DuckDBPyConnection, population: Population, as_of: date, now: datetime) -> None:
    """Append the parameters, in the caller's transaction; from now on they are the ones in use."""
    con.execute(
        "INSERT INTO population_parameters VALUES (?, ?, ?, ?, ?)",
        [
            as_of,
            population.mean_gap_days,
            population.median_order_value,
            population.users,
            now.astimezone(timezone.utc).replace(tzinfo=None),
        ],
    )


def publish_population(con: duckdb.DuckDBPyConnection, database: Database, now: datetime) -> None:
    """Bring the parameters in use to the operational store, where single users are scored at once."""
    population = newest_population(con)
    if population is None:
        return
    with database.read() as connection:
        if published_population(connection) == population:
            return
    with database.write() as connection:
        published.put(connection, {_NAME: asdict(population)}, now)


def published_population(connection: sa.Connection) -> Population | None:
    """Return the parameters in use from the operational store, or None before the first full run."""
    found = published.get(connection, [_NAME]).get(_NAME)
    return None if found is None else Population(**found.payload)
