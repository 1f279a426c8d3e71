"""The figures that the dashboard shows, as the last run has published them."""

from typing import TypeVar

import sqlalchemy as sa
from fastapi import APIRouter
from pydantic import BaseModel

from engagement_pipeline.metrics.models import Effectiveness, EmailStatus, Funnel, ScoreDistribution, UsersByBand
from engagement_pipeline.platform import published
from engagement_pipeline.web.api.calls import Call, NoParameters, Reader

router = APIRouter(prefix="/api/metrics", tags=["Metrics"])

Figures = TypeVar("Figures", bound=BaseModel)


class Overview(BaseModel):
    """All figures at once, each with the moment of its computing."""

    users_by_band: UsersByBand
    score_distribution: ScoreDistribution
    funnel: Funnel
    email_status: EmailStatus
    effectiveness: Effectiveness


@router.get("/overview", operation_id="get_overview")
def overview(call: Reader, _: NoParameters) -> Overview:
    """Read all figures at once."""
    with call.pipeline.database.read() as connection:
        return Overview(
            users_by_band=_figures(connection, UsersByBand, "users_by_band"),
            score_distribution=_figures(connection, ScoreDistribution, "score_distribution"),
            funnel=_figures(connection, Funnel, "funnel"),
            email_status=_figures(connection, EmailStatus, "email_status"),
            effectiveness=_figures(connection, Effectiveness, "effectiveness"),
        )


@router.get("/users-by-band", operation_id="get_users_by_band")
def users_by_band(call: Reader, _: NoParameters) -> UsersByBand:
    """Read how many users are in each band, and how that moved."""
    return _read(call, UsersByBand, "users_by_band")


@router.get("/score-distribution", operation_id="get_score_distribution")
def score_distribution(call: Reader, _: NoParameters) -> ScoreDistribution:
    """Read how many users have which score."""
    return _read(call, ScoreDistribution, "score_distribution")


@router.get("/funnel", operation_id="get_funnel")
def funnel(call: Reader, _: NoParameters) -> Funnel:
    """Read how many users came from risk to an order, and why the others were left out."""
    return _read(call, Funnel, "funnel")


@router.get("/email-status", operation_id="get_email_status")
def email_status(call: Reader, _: NoParameters) -> EmailStatus:
    """Read how many e-mails are in which status. Opens are unreliable."""
    return _read(call, EmailStatus, "email_status")


@router.get("/effectiveness", operation_id="get_effectiveness")
def effectiveness(call: Reader, _: NoParameters) -> Effectiveness:
    """Read what writing changed against the hold-out, with its interval, for each campaign, variant and band."""
    return _read(call, Effectiveness, "effectiveness")


def _read(call: Call, model: type[Figures], name: str) -> Figures:
    with call.pipeline.database.read() as connection:
        return _figures(connection, model, name)


def _figures(connection: sa.Connection, model: type[Figures], name: str) -> Figures:
    found = published.get(connection, [name]).get(name)
    return model() if found is None else model.model_validate({**found.payload, "computed_at": found.computed_at})
