"""What every handler of the API is given: the parts, who asks, in which request; and the ids in its path."""

from datetime import datetime
from typing import Annotated, Final

from fastapi import BackgroundTasks, Depends, Path, Query, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import AfterValidator
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.web.api.models.common import NoQuery
from engagement_pipeline.web.api.problems import request_id
from engagement_pipeline.web.changes import By
from engagement_pipeline.web.parts import Parts
from engagement_pipeline.web.security.access import Session
from engagement_pipeline.web.security.people import door_of

# Stands for a slash within an id while the path is taken apart; no id may hold it.
_SLASH: Final = "\ue000"
# As it stands in the description of operations that change something.
WRITE: Final = "write"
_ID: Final = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$"

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    description="`engagement tokens add NAME --scope read|write` makes one. Without any token in the store none is "
    "needed on the machine itself.",
)


class Call:
    """One request of somebody who was let in."""

    def __init__(self, request: Request, pipeline: Pipeline, session: Session) -> None:
        """Take what the request is answered with; it happens at one moment."""
        self.request = request
        self.pipeline = pipeline
        self.session = session
        self.now: datetime = pipeline.now()

    @property
    def by(self) -> By:
        """Who makes a change, and when."""
        return By(self.session.actor, request_id(self.request), self.now)


def _reader(
    request: Request,
    pipeline: Parts,
    background: BackgroundTasks,
    _: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
) -> Call:
    return Call(request, pipeline, door_of(request).by_header(request, background))


async def _writer(call: Annotated[Call, Security(_reader, scopes=[WRITE])]) -> Call:
    if not call.session.may_write:
        raise HTTPException(403, "This token may only read.")
    return call


Reader = Annotated[Call, Depends(_reader)]
Writer = Annotated[Call, Depends(_writer)]
NoParameters = Annotated[NoQuery, Query()]


class SlashesInIds:
    """Lets an id hold a slash, sent as %2F: without this it would part the path."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        raw: bytes = scope.get("raw_path") or b""
        if scope["type"] == "http" and raw.startswith(b"/api/") and b"%2f" in raw.lower():
            from urllib.parse import unquote

            marked = raw.decode("ascii", "replace").replace("%2f", "%2F").replace("%2F", _SLASH)
            scope = {**scope, "path": unquote(marked)}
        await self._app(scope, receive, send)


def _with_slashes(text: str) -> str:
    return text.replace(_SLASH, "/")


def _id(description: str) -> object:
    return Path(min_length=1, max_length=128, pattern=_ID, description=description)


UserId = Annotated[str, _id("The shop's id of the user; a slash in it as %2F."), AfterValidator(_with_slashes)]
OrderId = Annotated[str, _id("The shop's id of the order; a slash in it as %2F."), AfterValidator(_with_slashes)]
EmailId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
