"""A user's score at this moment, by the same formula and with the population of the last full run."""

from datetime import date

import sqlalchemy as sa

from engagement_pipeline.platform.published import published
from engagement_pipeline.platform.settings import ScoringSettings
from engagement_pipeline.scoring.explain import Explanation, Facts, explain
from engagement_pipeline.scoring.formula import Population

NO_POPULATION = "Nobody has been scored yet: what is typical of the shop's users is known after the first full run."


def population(connection: sa.Connection) -> Population | None:
    """Return what is typical of the shop's users; None before the first full run."""
    payload = connection.execute(
        sa.select(published.c.payload).where(published.c.name == "population")
    ).scalar_one_or_none()
    if payload is None:
        return None
    return Population(
        mean_gap_days=payload["mean_gap_days"],
        median_order_value=payload["median_order_value"],
        users=payload["users"],
    )


def explained(connection: sa.Connection, user: Facts, settings: ScoringSettings, as_of: date) -> Explanation | None:
    """Return a user's score and where it comes from; None before the first full run."""
    typical = population(connection)
    return None if typical is None else explain(user, typical, settings, as_of)
