"""The queue of what waits for somebody to agree to its words."""

from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Response

from engagement_pipeline.copywriting import approvals
from engagement_pipeline.copywriting.approvals import Verdict
from engagement_pipeline.platform.errors import BadInputError
from engagement_pipeline.web.dashboard.rendering import Said
from engagement_pipeline.web.dashboard.screen import Fields, Reader, Screen, Writer, go, text
from engagement_pipeline.web.queries.approvals import decided_editions, waiting_editions
from engagement_pipeline.web.verdicts import WRONG_NOTE, UnknownEditionError, decide_on

router = APIRouter(include_in_schema=False)

_SECTION: Final = "/approvals"


@router.get("/approvals")
def show(screen: Reader) -> Response:
    """Show what waits, with samples to read, and what was decided."""
    return _page(screen)


@router.post("/approvals")
def put(screen: Writer, fields: Fields) -> Response:
    """Approve or reject an edition; it holds for all of its e-mails."""
    pipeline, edition = screen.pipeline, text(fields, "edition")
    verdict: Verdict = "approved" if text(fields, "verdict") == "approved" else "rejected"
    with pipeline.database.read() as connection:
        decided = approvals.find(connection, pipeline.settings.campaign, edition)
    if decided is not None:
        return go(_SECTION, "decided_already")
    try:
        decide_on(pipeline, edition, verdict, text(fields, "note"), screen.by)
    except UnknownEditionError:
        return go(_SECTION, "decided_already")
    except BadInputError:
        return _page(screen, Said(f"Nothing was decided: {WRONG_NOTE}.", "bad"), HTTPStatus.UNPROCESSABLE_ENTITY)
    return go(_SECTION, verdict)


def _page(screen: Screen, said: Said | None = None, status: int = HTTPStatus.OK) -> Response:
    settings = screen.pipeline.settings
    with screen.pipeline.database.read() as connection:
        return screen.show(
            "approvals.html.j2",
            _SECTION,
            status=status,
            said=said,
            campaign=settings.campaign,
            needed=settings.needs_approval,
            waiting=waiting_editions(connection, settings.campaign),
            decided=decided_editions(connection, settings.campaign),
        )
