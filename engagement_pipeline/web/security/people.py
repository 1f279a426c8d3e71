"""What the dashboard's handlers depend on: a session that may read or write, and forms that are our own.

A handler that depends on `ReadSession` or `WriteSession` is protected as a whole: whoever has no session is sent to
the login page and comes back, and a request that changes something must bring along the word of its session, in the
field `csrf_token` or the header `X-CSRF-Token` (for htmx: an attribute hx-headers on the body).
"""

from http import HTTPStatus
from typing import Annotated, Final
from urllib.parse import quote, urlsplit

from fastapi import BackgroundTasks, Depends, Request, Response
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from engagement_pipeline.web.security.access import Door, Session
from engagement_pipeline.web.security.hosts import is_from_another_site

FIELD: Final = "csrf_token"
HEADER: Final = "X-CSRF-Token"
HOME: Final = "/"
_SAFE: Final = frozenset({"GET", "HEAD"})


class LoginNeededError(Exception):
    """Nobody has logged in: `login_page` answers."""


async def _word(request: Request) -> str:
    if request.method in _SAFE:
        return ""
    given = request.headers.get(HEADER)
    if given is not None:
        return given
    # Read whole first: the handler may want it once more.
    await request.body()
    field = (await request.form()).get(FIELD)
    return field if isinstance(field, str) else ""


def require_read(request: Request, background: BackgroundTasks, word: Annotated[str, Depends(_word)]) -> Session:
    """Return the session of whoever may look.

    Raises:
        LoginNeededError: there is none.
        HTTPException: 403 where the form is not ours.
    """
    door = door_of(request)
    session = door.by_cookie(request, background)
    if session is None:
        raise LoginNeededError
    if request.method not in _SAFE and (
        is_from_another_site(request) or not door.cookies.is_form_token(word, session.nonce)
    ):
        raise HTTPException(HTTPStatus.FORBIDDEN, "This form is out of date. Please load its page again.")
    request.state.session = session
    return session


async def require_write(session: Annotated[Session, Depends(require_read)]) -> Session:
    """Return the session of whoever may change things.

    Raises:
        LoginNeededError: there is none.
        HTTPException: 403 where it may only look, or the form is not ours.
    """
    if not session.may_write:
        raise HTTPException(HTTPStatus.FORBIDDEN, "You are logged in with a token that may only read.")
    return session


ReadSession = Annotated[Session, Depends(require_read)]
WriteSession = Annotated[Session, Depends(require_write)]


def csrf_token(request: Request) -> str:
    """Return the word that the forms of this request's session bring along."""
    session: Session = request.state.session
    return door_of(request).cookies.form_token(session.nonce)


def door_of(request: Request) -> Door:
    door: Door = request.app.state.door
    return door


def local_path(text: str) -> str:
    """Return where to go after the login: a path of ours, whatever the text says."""
    parts = urlsplit(text) if text.isprintable() and "\\" not in text else None
    if parts is None or parts.scheme or parts.netloc or not text.startswith("/") or text.startswith("//"):
        return HOME
    return text


async def login_page(request: Request, _: Exception) -> Response:
    """Send whoever has to log in to the login page, to come back afterwards to what they wanted to see."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.headers.get("hx-request"):
        # A part of a page: htmx goes to the login page with the whole window.
        return Response(status_code=HTTPStatus.UNAUTHORIZED, headers={"HX-Redirect": "/login"})
    where = f"/login?next={quote(wanted, safe='')}" if request.method in _SAFE else "/login"
    return RedirectResponse(where, HTTPStatus.SEE_OTHER)
