"""Facts about users for tests, and the ways they reach the formula."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import duckdb

from engagement_pipeline.platform.settings_groups import ScoringSettings
from engagement_pipeline.scoring.formula import Population, parameters, scored

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "cdnow" / "orders.csv.gz"
AS_OF = date(2026, 3, 2)
SETTINGS = ScoringSettings()
POPULATION = Population(mean_gap_days=45, median_order_value=25, users=1000)

_RAW_USERS = """
    CREATE TABLE IF NOT EXISTS raw_users (
        user_id VARCHAR, order_count INTEGER, order_days INTEGER, average_order_value DOUBLE,
        first_order_at TIMESTAMP, last_order_at TIMESTAMP, last_email_at TIMESTAMP, changed_seq BIGINT
    )
"""


@dataclass(frozen=True)
class UserFacts:
    order_days: int = 1
    average_order_value: float = 25.0
    last_order_at: datetime | None = None
    last_email_at: datetime | None = None
    first_order_at: datetime | None = None

    @property
    def order_count(self) -> int:
        return self.order_days

    def changed(self, **values: object) -> "UserFacts":
        return replace(self, **values)  # type: ignore[arg-type]


def days_ago(days: int, hour: int = 12) -> datetime:
    return datetime(AS_OF.year, AS_OF.month, AS_OF.day, hour, tzinfo=timezone.utc) - timedelta(days=days)


def score_all(
    users: Iterable[UserFacts],
    population: Population = POPULATION,
    settings: ScoringSettings = SETTINGS,
    as_of: date = AS_OF,
) -> list[tuple[float, str, float]]:
    """Return score, band and odds of each, by the project's formula."""
    with duckdb.connect() as con:
        con.execute(_RAW_USERS)
        write_users(con, {str(number): user for number, user in enumerate(users)}, seq=1)
        query = f"SELECT score, band, odds FROM ({scored('SELECT * FROM raw_users')}) ORDER BY CAST(user_id AS INTEGER)"
        return con.execute(query, parameters(as_of, population, settings)).fetchall()


def expected_odds(user: UserFacts, population: Population, settings: ScoringSettings, as_of: date) -> float:
    """The formula as its description gives it, written a second time and on purpose."""
    if user.order_days <= 0 or user.last_order_at is None:
        return 0
    days = max(0, (as_of - user.last_order_at.date()).days)
    value = math.sqrt((1 + max(0, user.average_order_value) / population.median_order_value) / 2)
    emailed = user.last_email_at
    is_recent = emailed is not None and emailed > user.last_order_at and 0 <= (as_of - emailed.date()).days < 7
    factor = settings.email_factor if is_recent else 1
    strength = settings.horizon_days / 3 * user.order_days**0.75 * value * factor
    return float(strength / (population.mean_gap_days + days))


def write_users(con: duckdb.DuckDBPyConnection, users: dict[str, UserFacts], seq: int) -> None:
    """Put users into raw_users as the mirror would, changed as of `seq`."""
    con.execute(_RAW_USERS)
    for user_id, user in users.items():
        con.execute("DELETE FROM raw_users WHERE user_id = ?", [user_id])
        moments = [_naive(user.first_order_at), _naive(user.last_order_at), _naive(user.last_email_at)]
        con.execute(
            "INSERT INTO raw_users VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [user_id, user.order_count, user.order_days, user.average_order_value, *moments, seq],
        )


def load_sample_orders(con: duckdb.DuckDBPyConnection) -> None:
    """Put the sample into raw_orders, as it is."""
    con.execute(
        "CREATE TABLE raw_orders AS SELECT order_id, user_id, CAST(ordered_at AS TIMESTAMP) AS ordered_at, total_value,"
        " item_count, 'delivered' AS status, 1 AS changed_seq FROM read_csv(?)",
        [str(SAMPLE)],
    )


def _naive(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=None)
