"""The open pixel and the click redirect.

Both answer without waiting for the store: what happened is recorded after the answer is out, and lost rather than
shown as an error, for a reader must reach the shop whatever our database does. One event is kept per e-mail, kind
(`open`, `click`, `machine_open`, `machine_click`) and hour: enough to see a reader come back, and a bound on what a
repeated request can fill the store with.
"""

import json
import logging
from datetime import datetime
from typing import Final, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.background import BackgroundTask

from engagement_pipeline.delivery import tokens
from engagement_pipeline.delivery.events import Event, Kind
from engagement_pipeline.delivery.tables import email_events
from engagement_pipeline.delivery.tracking import is_machine
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform.dynamodb import UnavailableError
from engagement_pipeline.web.origin import origin_of
from engagement_pipeline.web.parts import BrandPages, Parts

PIXEL: Final = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")

router = APIRouter(include_in_schema=False)
_logger = logging.getLogger(__name__)


@router.api_route("/o/{name:path}", methods=["GET", "HEAD"])
async def opened(request: Request, pipeline: Parts, name: str) -> Response:
    """Answer with one transparent pixel, whatever the token: a mail program would show an error to the reader."""
    email_id = tokens.read(name.removesuffix(".gif"), "open", pipeline.secret_key)
    return Response(PIXEL, media_type="image/gif", background=_recording(request, pipeline, "open", email_id))


@router.api_route("/c/{token}", methods=["GET", "HEAD"])
async def clicked(request: Request, pipeline: Parts, pages: BrandPages, token: str, to: str = "") -> Response:
    """Lead on to the address that the token was signed for, and to no other."""
    email_id = tokens.read(token, "click", pipeline.secret_key, to)
    if email_id is None:
        return pages.unknown_link()
    return RedirectResponse(to, status_code=302, background=_recording(request, pipeline, "click", email_id))


def _recording(
    request: Request, pipeline: Pipeline, what: Literal["open", "click"], email_id: str | None
) -> BackgroundTask | None:
    if email_id is None or not pipeline.settings.delivery.tracking:
        return None
    return BackgroundTask(_record, pipeline, what, email_id, origin_of(request), pipeline.now())


def _record(
    pipeline: Pipeline, what: Literal["open", "click"], email_id: str, origin: dict[str, str], at: datetime
) -> None:
    try:
        kind = _kind(pipeline, what, email_id, origin, at)
        if kind is None:
            return
        event = Event(
            event_id=_event_id(kind, email_id, at),
            kind=kind,
            email_id=email_id,
            provider_message_id=None,
            address_key=None,
            occurred_at=at,
            source="tracking",
            original=json.dumps(origin),
        )
        pipeline.stores.feedback.take([event], at)
    except (SQLAlchemyError, UnavailableError) as error:
        _logger.warning("an %s was not recorded: %s", what, type(error).__name__)


def _kind(
    pipeline: Pipeline, what: Literal["open", "click"], email_id: str, origin: dict[str, str], at: datetime
) -> Kind | None:
    """Return what happened; None where that is known already, or of an e-mail that the ledger does not know."""
    row = pipeline.ledger.get_emails([email_id]).get(email_id)
    if row is None:
        return None
    # The sender notes the moment a little after the message has left.
    sent_at = row.updated_at if row.status == "sending" else row.sent_at
    machine = is_machine(
        what,
        origin.get("user_agent"),
        method=origin["method"],
        prefetch="purpose" in origin,
        seconds_since_sent=None if sent_at is None else (at - sent_at).total_seconds(),
    )
    kind: Kind = _BY_MACHINES[what] if machine else what
    known = sa.select(sa.exists().where(email_events.c.event_id == _event_id(kind, email_id, at)))
    with pipeline.database.read() as connection:
        return None if connection.execute(known).scalar_one() else kind


_BY_MACHINES: Final[dict[Literal["open", "click"], Kind]] = {"open": "machine_open", "click": "machine_click"}


def _event_id(kind: Kind, email_id: str, at: datetime) -> str:
    return f"{kind}:{email_id}:{at:%Y%m%dT%H}"
