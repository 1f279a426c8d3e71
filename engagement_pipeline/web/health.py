"""Whether the process answers at all, and whether the system can do its work."""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy.exc import SQLAlchemyError

from engagement_pipeline.migrations import is_current
from engagement_pipeline.web.api.models.system import Alive, Ready
from engagement_pipeline.web.parts import Parts
from engagement_pipeline.web.queries.system import last_success

router = APIRouter(tags=["Health"])

_NOT_READY: dict[int | str, dict[str, Any]] = {503: {"model": Ready, "description": "Not ready."}}


@router.get("/health", operation_id="get_health")
async def health() -> Alive:
    """Say that the process is alive; nothing about the store."""
    return Alive(status="ok")


@router.get("/ready", operation_id="get_readiness", responses=_NOT_READY)
def ready(pipeline: Parts, response: Response) -> Ready:
    """Say whether the store answers and its schema is the one of this program, and how old the last run is."""
    try:
        with pipeline.database.read() as connection:
            last_run_at = last_success(connection)
        current = is_current(pipeline.database)
    except SQLAlchemyError:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return Ready(ready=False, store=False, schema_current=False, last_run_at=None, last_run_age_seconds=None)
    if not current:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    age = None if last_run_at is None else (pipeline.now() - last_run_at).total_seconds()
    return Ready(ready=current, store=True, schema_current=current, last_run_at=last_run_at, last_run_age_seconds=age)
