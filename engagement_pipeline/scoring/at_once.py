"""The scores of some users at this moment, by the formula itself: for whoever has just changed them."""

from collections.abc import Sequence
from datetime import date, datetime, timezone
from typing import NamedTuple, Protocol

from engagement_pipeline.platform.settings_groups import ScoringSettings
from engagement_pipeline.scoring.engine import in_memory
from engagement_pipeline.scoring.explain import Facts
from engagement_pipeline.scoring.formula import Population, parameters, scored

_FACTS = """
    SELECT
        UNNEST($user_id::VARCHAR[]) AS user_id,
        UNNEST($order_days::INTEGER[]) AS order_days,
        UNNEST($average_order_value::DOUBLE[]) AS average_order_value,
        UNNEST($last_order_at::TIMESTAMP[]) AS last_order_at,
        UNNEST($last_email_at::TIMESTAMP[]) AS last_email_at
"""


class NamedFacts(Facts, Protocol):
    """What the score needs to know of a user, and who that is."""

    @property
    def user_id(self) -> str: ...


class ScoreNow(NamedTuple):
    """A score, and the band that it is in."""

    score: float
    band: str


def scores_at_once(
    users: Sequence[NamedFacts], population: Population, settings: ScoringSettings, as_of: date
) -> dict[str, ScoreNow]:
    """Return the scores of users as of a day, by user_id."""
    columns = {
        "user_id": [user.user_id for user in users],
        "order_days": [user.order_days for user in users],
        "average_order_value": [user.average_order_value for user in users],
        "last_order_at": [_naive(user.last_order_at) for user in users],
        "last_email_at": [_naive(user.last_email_at) for user in users],
    }
    with in_memory() as con:
        query = f"SELECT user_id, score, band FROM ({scored(_FACTS)})"  # noqa: S608
        rows = con.execute(query, {**parameters(as_of, population, settings), **columns}).fetchall()
    return {user_id: ScoreNow(score, band) for user_id, score, band in rows}


def _naive(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(timezone.utc).replace(tzinfo=None)
