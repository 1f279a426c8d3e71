"""What can be done with a person: write to them now, give them what is known about them, erase them."""

import json
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Response

from engagement_pipeline.delivery.erasure import erase
from engagement_pipeline.delivery.export import export_person
from engagement_pipeline.delivery.on_request import NoSuchUserError, Requested, request_email
from engagement_pipeline.web.dashboard.figures import in_path
from engagement_pipeline.web.dashboard.rendering import Said
from engagement_pipeline.web.dashboard.routes.users import SECTION, page_of
from engagement_pipeline.web.dashboard.screen import Fields, Reader, Writer, go, text

router = APIRouter(include_in_schema=False)

_YES: Final = "yes"
_NOT_CONFIRMED: Final = Said("Nothing was sent: tick the box that confirms it.", "warn")
_NOT_TYPED: Final = Said("Nothing was erased: what was typed is not this person's id.", "warn")


@router.post("/users/write/{user_id:path}")
def write(screen: Writer, fields: Fields, user_id: str) -> Response:
    """Write to a person now, through the same gate as every other e-mail."""
    if text(fields, "confirm") != _YES:
        return page_of(screen, user_id, said=_NOT_CONFIRMED, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    override = text(fields, "override_cool_down") == _YES
    pipeline = screen.pipeline
    try:
        requested = request_email(
            pipeline.writing, user_id, screen.session.actor, override, pipeline.now(), request_id=screen.by.request_id
        )
    except NoSuchUserError:
        return screen.missing(SECTION, "user")
    if requested.status == "queued":
        return go(f"/user/{in_path(user_id)}", "waits_for_hours" if requested.not_before else "requested")
    return page_of(screen, user_id, said=_refusal(requested, override=override), status=HTTPStatus.CONFLICT)


@router.get("/users/export/{user_id:path}")
def export(screen: Reader, user_id: str) -> Response:
    """Answer with everything that is known about a person, as a file; recorded, as it leaves the house."""
    known = export_person(screen.pipeline.database, user_id)
    if known is None:
        return screen.missing(SECTION, "user")
    screen.pipeline.audit.record(screen.by.entry("user.exported", "user", user_id, {}))
    content = json.dumps(known, indent=2, ensure_ascii=False, default=str)
    # The name of a file may hold anything but an id's odd signs.
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''user-{in_path(user_id)}.json"}
    return Response(content, media_type="application/json", headers=headers)


@router.post("/users/erase/{user_id:path}")
def forget(screen: Writer, fields: Fields, user_id: str) -> Response:
    """Erase a person for good, once their id has been typed."""
    if text(fields, "typed") != user_id:
        return page_of(screen, user_id, said=_NOT_TYPED, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    pipeline = screen.pipeline
    report = erase(
        pipeline.stores,
        pipeline.settings,
        user_id,
        screen.session.actor,
        pipeline.now(),
        request_id=screen.by.request_id,
    )
    if not report.found:
        return screen.missing(SECTION, "user")
    return go(SECTION, "erasing" if report.left else "erased")


def _refusal(requested: Requested, *, override: bool) -> Said:
    further = ""
    if requested.reason == "cool_down" and not override:
        further = " Tick the box to write even so."
    return Said(f"Nothing was sent. {requested.meaning}{further}", "warn")
