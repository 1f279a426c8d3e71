"""Logging in to the dashboard with a token, and out again."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from engagement_pipeline.web.dashboard.rendering import Templates
from engagement_pipeline.web.security import cookies, hosts
from engagement_pipeline.web.security.people import ReadSession, door_of, local_path

router = APIRouter(include_in_schema=False)


@router.get("/login")
def ask(request: Request, next: str = "/") -> Response:  # noqa: A002 - the parameter's name
    """Ask for a token, unless none is needed."""
    if door_of(request).is_open(request):
        return RedirectResponse(local_path(next), HTTPStatus.SEE_OTHER)
    return _page(request, next, wrong=False)


@router.post("/login")
def log_in(
    request: Request,
    token: Annotated[str, Form(max_length=200)] = "",
    next: Annotated[str, Form(max_length=2000)] = "/",  # noqa: A002 - the parameter's name
) -> Response:
    """Begin a session of twelve hours."""
    if hosts.is_from_another_site(request):
        raise HTTPException(HTTPStatus.FORBIDDEN, "Please log in on the login page itself.")
    cookie = door_of(request).log_in(request, token)
    if cookie is None:
        return _page(request, next, wrong=True)
    answer = RedirectResponse(local_path(next), HTTPStatus.SEE_OTHER)
    answer.set_cookie(
        cookies.NAME,
        cookie,
        max_age=int(cookies.LASTS.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=not _is_plain_and_local(request),
    )
    return answer


@router.post("/logout")
def log_out(request: Request, _: ReadSession) -> Response:
    """End the session in this browser."""
    answer = RedirectResponse("/login", HTTPStatus.SEE_OTHER)
    answer.delete_cookie(cookies.NAME, httponly=True, samesite="lax", secure=not _is_plain_and_local(request))
    return answer


def _page(request: Request, next: str, *, wrong: bool) -> Response:  # noqa: A002 - the field's name
    templates: Templates = request.app.state.templates
    return templates.login(local_path(next), wrong=wrong)


def _is_plain_and_local(request: Request) -> bool:
    """Browsers send no secure cookie over http, not all of them to this machine either."""
    return request.url.scheme == "http" and hosts.is_loopback(request.url.hostname or "")
