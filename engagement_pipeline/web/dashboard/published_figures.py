"""The published figures, all read at once."""

from typing import NamedTuple, TypeVar

import sqlalchemy as sa
from pydantic import BaseModel

from engagement_pipeline.metrics.models import Effectiveness, EmailStatus, Funnel, ScoreDistribution, UsersByBand
from engagement_pipeline.platform import published
from engagement_pipeline.platform.published import Published

Figures = TypeVar("Figures", bound=BaseModel)


class PublishedFigures(NamedTuple):
    """What the dashboard shows; each says that nothing is computed until it is."""

    users: UsersByBand
    scores: ScoreDistribution
    emails: EmailStatus
    funnel: Funnel
    effectiveness: Effectiveness


def read(connection: sa.Connection) -> PublishedFigures:
    """Return what was published last."""
    names = ("users_by_band", "score_distribution", "email_status", "funnel", "effectiveness")
    users, scores, emails, funnel, effectiveness = map(published.get(connection, names).get, names)
    return PublishedFigures(
        _figures(UsersByBand, users),
        _figures(ScoreDistribution, scores),
        _figures(EmailStatus, emails),
        _figures(Funnel, funnel),
        _figures(Effectiveness, effectiveness),
    )


def _figures(model: type[Figures], found: Published | None) -> Figures:
    if found is None:
        return model()
    return model.model_validate({**found.payload, "computed_at": found.computed_at})
