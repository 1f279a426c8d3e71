"""What a campaign says, where somebody has to agree first."""

from fastapi import APIRouter

from engagement_pipeline.web.api.calls import NoParameters, Reader
from engagement_pipeline.web.api.models.approvals import Approvals, DecidedAnswer, WaitingAnswer
from engagement_pipeline.web.queries.approvals import decided_editions, waiting_editions

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
