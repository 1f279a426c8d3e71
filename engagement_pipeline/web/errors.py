"""Errors as whoever asks can read them: a page for people, problem+json for programs."""

import logging
import traceback
from http import HTTPStatus
from typing import Final

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engagement_pipeline.web.api import problems
from engagement_pipeline.web.api.problems import ProblemError
from engagement_pipeline.web.pages import Pages
from engagement_pipeline.web.route_book import RouteBook

_FOR_PROGRAMS: Final = ("/health", "/ready", "/metrics")
_RETRY_AFTER_SECONDS: Final = "30"

_logger = logging.getLogger(__name__)


def is_for_programs(path: str) -> bool:
    """Tell whether programs rather than people ask for a path."""
    return path == "/api" or path.startswith("/api/") or path in _FOR_PROGRAMS


async def on_http_error(request: Request, error: Exception) -> Response:
    """Answer what a handler, or nobody, could."""
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for nothing else
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        routes: RouteBook = request.app.state.routes
        headers["Allow"] = ", ".join(routes.allowed(request.url.path))
    if is_for_programs(request.url.path):
        # Starlette's own words for a code say nothing that its title does not.
        own = error.detail if error.detail != HTTPStatus(error.status_code).phrase else ""
        return problems.answer(request, ProblemError(error.status_code, own, headers=headers))
    pages: Pages = request.app.state.pages
    if error.status_code == HTTPStatus.NOT_FOUND:
        return pages.unknown_link()
    title = HTTPStatus(error.status_code).phrase
    said = error.detail if error.detail != title else "This address does not take that kind of request."
    page = pages.problem(error.status_code, title, said)
    page.headers.update(headers)
    return page


async def on_problem(request: Request, error: Exception) -> Response:
    """Answer a problem that a handler of the API found."""
    assert isinstance(error, ProblemError)  # noqa: S101 - it is registered for nothing else
    return problems.answer(request, error)


async def on_invalid_request(request: Request, error: Exception) -> Response:
    """Name the fields that are wrong, and never repeat what they hold."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - it is registered for nothing else
    if is_for_programs(request.url.path):
        return problems.answer(request, problems.not_valid(problems.field_errors(error.errors())))
    pages: Pages = request.app.state.pages
    return pages.problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, "This does not fit", "Something in the form, or in the address, is not valid."
    )


async def on_busy_store(request: Request, _: Exception) -> Response:
    """Ask to come back: the store is held by somebody else, or is not there."""
    headers = {"Retry-After": _RETRY_AFTER_SECONDS}
    if is_for_programs(request.url.path):
        return problems.answer(request, ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "", headers=headers))
    pages: Pages = request.app.state.pages
    page = pages.problem(
        HTTPStatus.SERVICE_UNAVAILABLE, "One moment, please", "We could not do this just now. Please try again shortly."
    )
    page.headers.update(headers)
    return page


class Unexpected:
    """Answers what nobody expected, and logs where it came from; not what it says, which may quote what was sent."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        has_begun = False

        async def send_on(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        except Exception as error:
            where = "".join(traceback.format_tb(error.__traceback__))
            _logger.error("%s while answering %s\n%s", type(error).__name__, _name(scope), where)
            if has_begun or scope["type"] != "http":
                return
            await _apology(Request(scope, receive))(scope, receive, send)


def _apology(request: Request) -> Response:
    if is_for_programs(request.url.path):
        return problems.answer(request, ProblemError(HTTPStatus.INTERNAL_SERVER_ERROR, ""))
    pages: Pages = request.app.state.pages
    return pages.problem(
        HTTPStatus.INTERNAL_SERVER_ERROR, "That was our mistake", "It has been noted. Please try again later."
    )


def _name(scope: Scope) -> str:
    return str(scope.get("state", {}).get("request_id", ""))
