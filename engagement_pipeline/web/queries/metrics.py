"""The figures that assets have published, as the API answers with them and the dashboard draws them."""

from datetime import datetime
from typing import Final, TypeVar

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engagement_pipeline.metrics.models import (
    Effectiveness,
    EmailStatus,
    Figures,
    Funnel,
    ScoreDistribution,
    UsersByBand,
)
from engagement_pipeline.platform import published
from engagement_pipeline.platform.published import Published

_F = TypeVar("_F", bound=Figures)


_PARTS: Final = (UsersByBand, ScoreDistribution, Funnel, EmailStatus, Effectiveness)


class Overview(BaseModel):
    """All figures at once: who is at risk, what was written, whether it helped. Each part has the moment of its own."""

    model_config = ConfigDict(frozen=True)

    computed_at: datetime | None = Field(
        None, description="When the oldest part but effectiveness was computed; empty as long as none is."
    )
    users_by_band: UsersByBand = UsersByBand()
    score_distribution: ScoreDistribution = ScoreDistribution()
    funnel: Funnel = Funnel()
    email_status: EmailStatus = EmailStatus()
    effectiveness: Effectiveness = Effectiveness()


def overview(connection: sa.Connection) -> Overview:
    """Return all figures at once."""
    found = published.get(connection, [each.published_as for each in _PARTS])
    bands, scores = _figures(found, UsersByBand), _figures(found, ScoreDistribution)
    way, emails = _figures(found, Funnel), _figures(found, EmailStatus)
    moments = [each.computed_at for each in (bands, scores, way, emails) if each.computed_at is not None]
    return Overview(
        computed_at=min(moments, default=None),
        users_by_band=bands,
        score_distribution=scores,
        funnel=way,
        email_status=emails,
        effectiveness=_figures(found, Effectiveness),
    )


def users_by_band(connection: sa.Connection) -> UsersByBand:
    """Return users by band, today and over time."""
    return _published(connection, UsersByBand)


def score_distribution(connection: sa.Connection) -> ScoreDistribution:
    """Return how many users have which score."""
    return _published(connection, ScoreDistribution)


def funnel(connection: sa.Connection) -> Funnel:
    """Return the way from risk to order."""
    return _published(connection, Funnel)


def email_status(connection: sa.Connection) -> EmailStatus:
    """Return e-mails by campaign and status."""
    return _published(connection, EmailStatus)


def effectiveness(connection: sa.Connection) -> Effectiveness:
    """Return what each campaign, variant and band achieved against the hold-out."""
    return _published(connection, Effectiveness)


def _published(connection: sa.Connection, kind: type[_F]) -> _F:
    return _figures(published.get(connection, [kind.published_as]), kind)


def _figures(found: dict[str, Published], kind: type[_F]) -> _F:
    """Read published figures; what another version has published in another form counts as not computed."""
    each = found.get(kind.published_as)
    if each is None:
        return kind()
    try:
        return kind.model_validate({**each.payload, "computed_at": each.computed_at})
    except (ValidationError, TypeError):
        return kind()
