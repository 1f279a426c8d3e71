"""What a campaign says, where somebody has to agree first."""

from typing import Annotated

from fastapi import APIRouter, Path

from engagement_pipeline.delivery.approving import count_waiting
from engagement_pipeline.platform.errors import BadInputError
from engagement_pipeline.web.api.calls import NoParameters, Reader, Writer
from engagement_pipeline.web.api.described import problems
from engagement_pipeline.web.api.models.approvals import (
    Approvals,
    DecidedAnswer,
    Decision,
    VerdictAnswer,
    WaitingAnswer,
)
from engagement_pipeline.web.api.problems import invalid, not_found
from engagement_pipeline.web.queries.approvals import decided_editions, waiting_editions
from engagement_pipeline.web.verdicts import WRONG_NOTE, UnknownEditionError, decide_on

router = APIRouter(prefix="/api/approvals", tags=["E-mails"])


@router.get("", operation_id="list_approvals")
def list_(call: Reader, _: NoParameters) -> Approvals:
    """Read which e-mails wait for somebody to agree to their words, with samples, and what was decided."""
    settings = call.pipeline.settings
    with call.pipeline.database.read() as connection:
        waiting = waiting_editions(connection, settings.campaign)
        decided = decided_editions(connection, settings.campaign)
    return Approvals(
        campaign=settings.campaign,
        needed=settings.needs_approval,
        waiting=[WaitingAnswer.model_validate(each) for each in waiting],
        decided=[DecidedAnswer.model_validate(each) for each in decided],
    )


@router.put("/{edition}", operation_id="decide_on_edition", responses=problems(404))
def put(
    call: Writer,
    _: NoParameters,
    edition: Annotated[str, Path(pattern=r"^[A-Za-z0-9]{1,16}$", description="As the list names it.")],
    decision: Decision,
) -> VerdictAnswer:
    """Approve or reject an edition, for all of its e-mails.

    Rejecting closes those that wait. Repeating changes nothing.
    """
    try:
        standing = decide_on(call.pipeline, edition, decision.verdict, decision.note, call.by)
    except UnknownEditionError:
        raise not_found("edition") from None
    except BadInputError:
        raise invalid("note", "invalid", WRONG_NOTE) from None
    with call.pipeline.database.read() as connection:
        waiting = count_waiting(connection, call.pipeline.settings.campaign, edition)
    return VerdictAnswer(
        decided=DecidedAnswer.model_validate(standing.approval), closed=standing.closed, waiting=waiting
    )
