"""The figures that the dashboard shows, as the last run has published them."""

from fastapi import APIRouter

from engagement_pipeline.metrics.models import Effectiveness, EmailStatus, Funnel, ScoreDistribution, UsersByBand
from engagement_pipeline.web.api.calls import NoParameters, Reader
from engagement_pipeline.web.queries import metrics
from engagement_pipeline.web.queries.metrics import Overview

router = APIRouter(prefix="/api/metrics", tags=["Metrics"])


@router.get("/overview", operation_id="get_overview")
def overview(call: Reader, _: NoParameters) -> Overview:
    """Read all figures at once."""
    with call.pipeline.database.read() as connection:
        return metrics.overview(connection)


@router.get("/users-by-band", operation_id="get_users_by_band")
def users_by_band(call: Reader, _: NoParameters) -> UsersByBand:
    """Read how many users are in each band, and how that moved."""
    with call.pipeline.database.read() as connection:
        return metrics.users_by_band(connection)


@router.get("/score-distribution", operation_id="get_score_distribution")
def score_distribution(call: Reader, _: NoParameters) -> ScoreDistribution:
    """Read how many users have which score."""
    with call.pipeline.database.read() as connection:
        return metrics.score_distribution(connection)


@router.get("/funnel", operation_id="get_funnel")
def funnel(call: Reader, _: NoParameters) -> Funnel:
    """Read how many users came from risk to an order, and why the others were left out."""
    with call.pipeline.database.read() as connection:
        return metrics.funnel(connection)


@router.get("/email-status", operation_id="get_email_status")
def email_status(call: Reader, _: NoParameters) -> EmailStatus:
    """Read how many e-mails are in which status. Opens are unreliable."""
    with call.pipeline.database.read() as connection:
        return metrics.email_status(connection)


@router.get("/effectiveness", operation_id="get_effectiveness")
def effectiveness(call: Reader, _: NoParameters) -> Effectiveness:
    """Read what writing changed against the hold-out, with its interval, for each campaign, variant and band."""
    with call.pipeline.database.read() as connection:
        return metrics.effectiveness(connection)
