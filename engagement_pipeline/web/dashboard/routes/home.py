"""The overview: who is at risk, what we wrote, whether it helped, and how the system gets on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter, Response

from engagement_pipeline.web.dashboard import charts, figures, overview
from engagement_pipeline.web.dashboard.screen import Reader
from engagement_pipeline.web.queries import metrics
from engagement_pipeline.web.queries.system import SystemState, system_state

router = APIRouter(include_in_schema=False)

_SECTION: Final = "/"
FULL_RUN: Final = "refresh_engagement"


@dataclass(frozen=True)
class Warning:  # noqa: A001 - what it is
    """Something that a person should look at."""

    words: str
    link: str
    link_words: str
    tone: str = "warn"


@router.get("/")
def show(screen: Reader) -> Response:
    """Show the overview, from what was published."""
    settings, now = screen.pipeline.settings, screen.pipeline.now()
    with screen.pipeline.database.read() as connection:
        published = metrics.overview(connection)
        state = system_state(connection, now)
    users, lift = overview.bands(published.users_by_band), published.effectiveness.of_campaign(settings.campaign)
    last_full_run = next((mark.last_success_at for mark in state.jobs if mark.job == FULL_RUN), None)
    return screen.show(
        "overview.html.j2",
        _SECTION,
        computed_at=published.computed_at,
        warnings=_warnings(state),
        tiles=overview.tiles(users, published.funnel, lift, last_full_run, now),
        bands=charts.split(users.by_band),
        by_band=users.by_band,
        total=users.total,
        bands_label=users.label,
        over_time=users.over_time,
        over_time_rows=users.over_time_rows,
        distribution=overview.distribution(published.score_distribution, settings.scoring),
        campaign=settings.campaign,
        days=published.funnel.days,
        funnel=overview.steps(published.funnel),
        left_out=overview.left_out(published.funnel),
        lift=lift,
        drawn_lift=overview.drawn(lift),
        email_status=overview.by_status(published.email_status, settings.campaign),
        runs=state.jobs,
    )


def _warnings(state: SystemState) -> Sequence[Warning]:
    found = []
    if state.stopped:
        found.append(Warning("Sending has stopped by itself.", "/system", "See why", "bad"))
    if state.unknown.number:
        emails = "1 e-mail was" if state.unknown.number == 1 else f"{figures.number(state.unknown.number)} e-mails were"
        found.append(Warning(f"Nobody can tell whether {emails} sent.", "/emails?status=unknown", "Look into it"))
    if state.failures:
        runs = "1 run" if len(state.failures) == 1 else f"{len(state.failures)} runs"
        found.append(Warning(f"{runs} failed in the last week.", "/system", "Look into it"))
    return found
