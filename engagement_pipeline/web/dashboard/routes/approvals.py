"""The queue of what waits for somebody to agree to its words."""

from typing import Final

from fastapi import APIRouter, Response

from engagement_pipeline.web.dashboard.screen import Reader
from engagement_pipeline.web.queries.approvals import decided_editions, waiting_editions

router = APIRouter(include_in_schema=False)

_SECTION: Final = "/approvals"


@router.get("/approvals")
def show(screen: Reader) -> Response:
    """Show what waits, with samples to read, and what was decided."""
    settings = screen.pipeline.settings
    with screen.pipeline.database.read() as connection:
        return screen.show(
            "approvals.html.j2",
            _SECTION,
            campaign=settings.campaign,
            needed=settings.needs_approval,
            waiting=waiting_editions(connection, settings.campaign),
            decided=decided_editions(connection, settings.campaign),
        )
