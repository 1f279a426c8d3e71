"""How the system stands, who changed what, and going on after a stop."""

from typing import Annotated

from fastapi import APIRouter, Query

from engagement_pipeline.delivery import breaker
from engagement_pipeline.web.api.calls import NoParameters, Reader, Writer
from engagement_pipeline.web.api.described import problems
from engagement_pipeline.web.api.lists import Pager
from engagement_pipeline.web.api.models.common import Page
from engagement_pipeline.web.api.models.system import AuditEntry, AuditQuery, SystemAnswer
from engagement_pipeline.web.api.problems import ProblemError
from engagement_pipeline.web.queries.audit import list_audit
from engagement_pipeline.web.queries.system import system_state

router = APIRouter(prefix="/api", tags=["System"])


@router.get("/system", operation_id="get_system")
def get(call: Reader, _: NoParameters) -> SystemAnswer:
    """Read how the system stands: queues, what nobody can tell, what has stopped, the last runs."""
    with call.pipeline.database.read() as connection:
        return SystemAnswer.model_validate(system_state(connection, call.now))


@router.post("/system/resume", operation_id="resume_sending", responses=problems(409))
def resume(call: Writer, _: NoParameters) -> SystemAnswer:
    """Let sending go on after too many bounces or complaints. Only what is sent from now on is judged."""
    with call.pipeline.database.write() as connection:
        if breaker.reset(connection, call.now) is None:
            raise ProblemError(409, "Sending had not stopped.")
        call.pipeline.audit.record(call.by.entry("sending.resumed", "system", "", {}))
    with call.pipeline.database.read() as connection:
        return SystemAnswer.model_validate(system_state(connection, call.now))


@router.get("/audit", operation_id="list_audit", responses=problems(400))
def audit(call: Reader, query: Annotated[AuditQuery, Query()]) -> Page[AuditEntry]:
    """List who did what to what, the newest first."""
    pager = Pager(call, query)
    with call.pipeline.database.read() as connection:
        page = list_audit(connection, query.limit, pager.after, entity=query.entity, entity_id=query.entity_id)
    items = [AuditEntry.model_validate(entry) for entry in page.entries]
    return Page(items=items, next=pager.next(page.following))
