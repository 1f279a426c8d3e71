"""The formula's one door: builds the query that scores a set of facts, and the values it binds.

Every score in the system comes from `score.sql` by way of this module, whether for ten million users or for one.
"""

from dataclasses import dataclass
from datetime import date, datetime

import duckdb

from engagement_pipeline.platform.settings_groups import ScoringSettings
from engagement_pipeline.platform.warehouse import read_sql

Value = date | datetime | float | int | str | None
Parameters = dict[str, Value]


@dataclass(frozen=True)
class Population:
    """What is typical of a shop's users.

    Attributes:
        mean_gap_days: mean number of days between two order days of a user; above 0.
        median_order_value: median of the users' average order values, in the shop's currency; 0 if unknown.
        users: how many users with an order it was estimated from.
    """

    mean_gap_days: float
    median_order_value: float
    users: int


def scored(facts: str) -> str:
    """Return the query that scores the rows of the query `facts`.

    Args:
        facts: a SELECT with at least order_days, average_order_value, last_order_at and last_email_at. Its columns
            are passed on; added are days_since_last_order, frequency_factor, value_factor, email_factor, odds,
            score and band.
    """
    return f"WITH facts AS ({facts}) SELECT * FROM ({read_sql(__package__, 'score')}) AS scored"  # noqa: S608


def order_facts(orders: str) -> str:
    """Return the query that aggregates the rows of the query `orders` to facts per user; binds `$before_day`."""
    return f"WITH orders AS ({orders}) SELECT * FROM ({read_sql(__package__, 'order_facts')}) AS facts"  # noqa: S608


def parameters(as_of: date, population: Population, settings: ScoringSettings) -> Parameters:
    """Return what the query of `scored` binds."""
    return {
        "as_of": as_of,
        "horizon_days": settings.horizon_days,
        "mean_gap_days": population.mean_gap_days,
        "median_order_value": population.median_order_value,
        "email_factor": settings.email_factor,
        "email_factor_days": settings.email_factor_days,
        "critical_below": settings.critical_below,
        "at_risk_below": settings.at_risk_below,
        "moderate_below": settings.moderate_below,
    }


def estimate_population(con: duckdb.DuckDBPyConnection, facts: str, settings: ScoringSettings) -> Population:
    """Estimate the population's parameters from the rows of the query `facts`."""
    population = read_sql(__package__, "population")
    query = f"WITH facts AS NOT MATERIALIZED ({facts}) SELECT * FROM ({population}) AS population"  # noqa: S608
    row = con.execute(query, {"default_gap_days": settings.default_gap_days}).fetchone()
    if row is None:
        raise RuntimeError("an aggregate without a row")
    return Population(mean_gap_days=row[0], median_order_value=row[1], users=row[2])
