"""What happens to every request before anybody looks at it: it gets an id, its length is watched, its address too."""

import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote

# Not Starlette's own: where a handler wants JSON, FastAPI takes any other error for one in the JSON.
from fastapi import HTTPException, Request, Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engagement_pipeline.web.security import tokens

# The most that SNS posts: https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
MOST_BYTES: Final = 256 * 1024
# Where whole files or batches come in.
MOST_BYTES_OF_A_BATCH: Final = 2 * 1024 * 1024

REQUEST_ID: Final = "X-Request-ID"
API_VERSION: Final = "API-Version"

_REVOKE_IT: Final = (
    "A token must never be in an address. Revoke this one, and send the next one in the Authorization header."
)
_ACCESS_TOKEN: Final = re.compile(r"(?:^|&)access_token=")


class RequestIds:
    """Names each request, for the audit log and whoever asks what went wrong; the name is ours, never the client's."""

    def __init__(self, app: ASGIApp, version: str) -> None:
        """Wrap an application; `version` is that of the API."""
        self._app = app
        self._version = version

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID] = request_id
                if scope["path"].startswith("/api/"):
                    headers[API_VERSION] = self._version
            await send(message)

        await self._app(scope, receive, send_with_id)


class BodyLimit:
    """Stops reading a request's body where it gets too long, or does not begin where it says that it will."""

    def __init__(self, app: ASGIApp, longer: Mapping[str, int] | None = None) -> None:
        """Wrap an application; `longer` has the limits of paths that take more than the others."""
        self._app = app
        self._longer = dict(longer or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request.

        Raises:
            HTTPException: 413, to whoever reads the body.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._longer.get(scope["path"], MOST_BYTES)
        announced = Headers(scope=scope).get("content-length", "0")
        is_announced_too_long = not announced.isdecimal() or int(announced) > most
        received = 0

        async def receive_some() -> Message:
            nonlocal received
            if is_announced_too_long:
                raise _too_long(most)
            message = await receive()
            received += len(message.get("body", b""))
            if received > most:
                raise _too_long(most)
            return message

        await self._app(scope, receive_some, send)


class NoTokenInAddresses:
    """Refuses requests with a token in their address: it is in histories and logs by then, and must be revoked."""

    def __init__(self, app: ASGIApp, answer: Callable[[Request, HTTPException], Awaitable[Response]]) -> None:
        """Wrap an application; `answer` says what is wrong in the words of the page or interface asked for."""
        self._app = app
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http":
            query = scope["query_string"].decode("latin-1")
            if _ACCESS_TOKEN.search(query) or tokens.SHAPE.search(f"{scope['path']}?{unquote(query)}"):
                answer = await self._answer(Request(scope, receive), HTTPException(HTTPStatus.BAD_REQUEST, _REVOKE_IT))
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _too_long(most: int) -> HTTPException:
    return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"At most {most // 1024} KiB are taken here.")
