"""The queue of what waits for somebody to agree to its words."""

from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Response

from engagement_pipeline.copywriting.approvals import LONGEST_NOTE, Approval, Verdict
from engagement_pipeline.delivery.approving import decide
from engagement_pipeline.platform.errors import BadInputError
from engagement_pipeline.web.dashboard.rendering import Said
from engagement_pipeline.web.dashboard.screen import Fields, Reader, Screen, Writer, go, text
from engagement_pipeline.web.queries.approvals import decided_editions, waiting_editions

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
    note = " ".join(text(fields, "note").split())
    with pipeline.database.read() as connection:
        known = {each.edition for each in waiting_editions(connection, pipeline.settings.campaign)}
    if edition not in known:
        return go(_SECTION, "decided_already")
    try:
        approval = Approval(pipeline.settings.campaign, edition, verdict, screen.session.actor, note, pipeline.now())
    except BadInputError:
        words = f"Nothing was decided: a note is one line without an address, of at most {LONGEST_NOTE} characters."
        return _page(screen, Said(words, "bad"), HTTPStatus.UNPROCESSABLE_ENTITY)
    entry = screen.by.entry(f"copy.{verdict}", "edition", edition, {"campaign": approval.campaign})
    decide(pipeline.database, pipeline.ledger, approval, audit=entry)
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
