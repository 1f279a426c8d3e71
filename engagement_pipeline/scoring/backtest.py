"""A shop's own proof: how well the score would have told, on past days, who was going to order again."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import duckdb

from engagement_pipeline.platform.errors import BadInputError
from engagement_pipeline.platform.settings_groups import ScoringSettings
from engagement_pipeline.platform.warehouse import read_sql
from engagement_pipeline.scoring.backtest_plot import plot
from engagement_pipeline.scoring.backtest_report import BacktestReport, Cutoff, Decile
from engagement_pipeline.scoring.formula import estimate_population, order_facts, parameters, scored
from engagement_pipeline.scoring.history import RAW_ORDERS
from engagement_pipeline.scoring.order_files import ORDERS, OrderFile, opened
from engagement_pipeline.scoring.order_formats import OrderColumns

__all__ = ["BacktestError", "BacktestReport", "backtest", "plot"]

# Ranks with ties averaged: the sum of the ranks of those who came back gives the area under the curve.
_AUC = """
    WITH ranked AS (
        SELECT came_back, RANK() OVER (ORDER BY {by}) + (COUNT(*) OVER (PARTITION BY {by}) - 1) / 2 AS place
        FROM backtest_users
    ),
    sums AS (
        SELECT
            SUM(place) FILTER (came_back) AS places,
            CAST(COUNT(*) FILTER (came_back) AS DOUBLE) AS back,
            CAST(COUNT(*) FILTER (NOT came_back) AS DOUBLE) AS away
        FROM ranked
    )
    SELECT (places - back * (back + 1) / 2) / NULLIF(back * away, 0) FROM sums
"""

_SUMMARY = """
    SELECT
        COUNT(*), AVG(CAST(came_back AS INTEGER)), AVG(CAST(score < $threshold AS INTEGER)),
        AVG(POWER(score / 100 - CAST(came_back AS INTEGER), 2))
    FROM backtest_users
"""

_DECILES = """
    SELECT decile, COUNT(*), AVG(score) / 100, AVG(CAST(came_back AS INTEGER))
    FROM (
        SELECT *, 1 + LEAST(CAST(FLOOR(10 * PERCENT_RANK() OVER (ORDER BY score)) AS INTEGER), 9) AS decile
        FROM backtest_users
    )
    GROUP BY decile ORDER BY decile
"""


class BacktestError(BadInputError):
    """The orders cannot answer the question; the message is one sentence saying why."""


def backtest(
    orders: duckdb.DuckDBPyConnection | Path,
    cutoffs: Sequence[date],
    settings: ScoringSettings,
    columns: OrderColumns = OrderColumns(),  # noqa: B008 - immutable
    *,
    known_before: date | None = None,
) -> BacktestReport:
    """Score users as of past days and compare with what they did next.

    Args:
        orders: the warehouse, whose raw_orders are read, or an order file.
        cutoffs: the days; none means the latest that leaves a whole horizon of orders after it.
        settings: the formula's settings; orders within `horizon_days` from the cut-off day on are the outcome.
        columns: what the columns of an order file are called.
        known_before: the orders of all days before this one are known; None means up to the day of the last order.

    Raises:
        BacktestError: nobody had ordered before a cut-off, or the orders end before its horizon does.
        OrderFileError: the order file cannot be used.
    """
    with _order_table(orders, columns) as (con, file):
        days = _checked_days(con, cutoffs, settings.horizon_days, known_before)
        found = tuple(_at(con, day, settings) for day in days)
    return BacktestReport(horizon_days=settings.horizon_days, cutoffs=found, file=file)


def _checked_days(
    con: duckdb.DuckDBPyConnection, cutoffs: Sequence[date], horizon_days: int, known_before: date | None
) -> list[date]:
    first, last = con.execute(
        "SELECT CAST(MIN(ordered_at) AS DATE), CAST(MAX(ordered_at) AS DATE) FROM past"
    ).fetchall()[0]
    if first is None:
        raise BacktestError("there are no orders to test on")
    latest = (known_before or last + timedelta(days=1)) - timedelta(days=horizon_days)
    if latest <= first:
        raise BacktestError(
            f"the orders run from {first} to {last}: too short a time for a horizon of {horizon_days} days"
        )
    days = sorted(set(cutoffs)) or [latest]
    for day in days:
        if not first < day <= latest:
            raise BacktestError(
                f"the orders run from {first} to {last}: with a horizon of {horizon_days} days a cut-off must be after"
                f" {first} and no later than {latest}, not {day}"
            )
    return days


@contextmanager
def _order_table(
    orders: duckdb.DuckDBPyConnection | Path, columns: OrderColumns
) -> Iterator[tuple[duckdb.DuckDBPyConnection, OrderFile | None]]:
    """Make the orders readable as `past`, a temporary view."""
    if isinstance(orders, Path):
        with opened(orders, columns) as (con, file):
            con.execute(f"CREATE TEMP VIEW past AS {ORDERS}")
            yield con, file
        return
    orders.execute(f"CREATE OR REPLACE TEMP VIEW past AS {RAW_ORDERS}")
    try:
        yield orders, None
    finally:
        orders.execute("DROP VIEW past")


def _at(con: duckdb.DuckDBPyConnection, day: date, settings: ScoringSettings) -> Cutoff:
    past = "SELECT * FROM past"
    con.execute(f"CREATE OR REPLACE TEMP TABLE facts_then AS {order_facts(past)}", {"before_day": day})
    facts = "SELECT * FROM facts_then"
    population = estimate_population(con, facts, settings)
    con.execute(f"CREATE OR REPLACE TEMP TABLE scores_then AS {scored(facts)}", parameters(day, population, settings))
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE backtest_users AS WITH orders AS ({past})"  # noqa: S608
        f" SELECT * FROM ({read_sql(__package__, 'backtest')})",
        {"cutoff": day, "horizon_days": settings.horizon_days},
    )
    users, came_back, below, brier = con.execute(_SUMMARY, {"threshold": settings.at_risk_below}).fetchall()[0]
    if users == 0:
        raise BacktestError(f"nobody had ordered before {day}")
    cutoff = Cutoff(
        day=day,
        users=users,
        came_back=came_back,
        below_threshold=below,
        auc=_auc(con, "score"),
        brier=brier,
        brier_of_the_mean=came_back * (1 - came_back),
        auc_recency=_auc(con, "recency"),
        auc_rfm=_auc(con, "rfm"),
        deciles=tuple(Decile(*row) for row in con.execute(_DECILES).fetchall()),
        population=population,
    )
    for table in ("facts_then", "scores_then", "backtest_users"):
        con.execute(f"DROP TABLE {table}")
    return cutoff


def _auc(con: duckdb.DuckDBPyConnection, by: str) -> float | None:
    auc: float | None = con.execute(_AUC.format(by=by)).fetchall()[0][0]
    return auc
