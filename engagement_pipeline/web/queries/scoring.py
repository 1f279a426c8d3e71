"""A user's score at this moment, by the same formula and with the population of the last full run."""

from datetime import date

import sqlalchemy as sa

from engagement_pipeline.platform.settings_groups import ScoringSettings
from engagement_pipeline.scoring.explain import Explanation, Facts, explain
from engagement_pipeline.scoring.population import published_population

NO_POPULATION = "Nobody has been scored yet: what is typical of the shop's users is known after the first full run."


def explained(connection: sa.Connection, user: Facts, settings: ScoringSettings, as_of: date) -> Explanation | None:
    """Return a user's score and where it comes from; None before the first full run."""
    typical = published_population(connection)
    return None if typical is None else explain(user, typical, settings, as_of)
