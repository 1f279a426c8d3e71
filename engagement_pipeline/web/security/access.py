"""Who asks, and what they may: by a token in the header (programs), or by a session's cookie (people).

Where the store has never had a token, whoever asks on this machine may do everything, and nobody else anything.
"""

import logging
import math
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Final, NoReturn

import sqlalchemy as sa
from fastapi import BackgroundTasks, Request
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.web.security import cookies, hosts, tokens
from engagement_pipeline.web.security.cookies import SessionCookies
from engagement_pipeline.web.security.rate import Buckets
from engagement_pipeline.web.security.tokens import Scope, Token

# Wrong tokens cost more patience than good ones: so much of the rate, and so many seconds of it in a burst.
_FAILURE_SHARE: Final = 0.01
_FAILURE_BURST_SECONDS: Final = 0.2

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Session:
    """Somebody who was let in.

    Attributes:
        actor: what the audit log names: a token's name, or `local`.
        scope: `write` includes `read`.
        token_id: None for `local`.
        nonce: what the forms' word is bound to.
    """

    actor: str
    scope: Scope
    token_id: str | None = None
    nonce: str = ""

    @property
    def may_write(self) -> bool:
        return self.scope == "write"


_LOCAL: Final = Session("local", "write", nonce="local")


class Door:
    """Lets in; one for each application."""

    def __init__(self, pipeline: Pipeline) -> None:
        """Let in by the tokens of the pipeline's store."""
        self._pipeline = pipeline
        self.cookies = SessionCookies(pipeline.secret_key)
        per_second = pipeline.settings.web.requests_per_second
        self._requests = Buckets(per_second)
        self._failures = Buckets(per_second * _FAILURE_SHARE, burst=per_second * _FAILURE_BURST_SECONDS)
        self._noting: dict[str, datetime] = {}

    def by_header(self, request: Request, background: BackgroundTasks) -> Session:
        """Let in a program.

        Raises:
            HTTPException: 401 without a token that is good, 429 where it asks too often.
        """
        header = request.headers.get("authorization")
        with self._pipeline.database.read() as connection:
            if header is None:
                session = self._local(connection, request)
                token = None
            else:
                kind, _, given = header.partition(" ")
                token = tokens.find(connection, given.strip()) if kind.lower() == "bearer" else None
                session = None if token is None else Session(token.name, token.scope, token.token_id)
        if session is None:
            self._refuse(request, wrong=header is not None)
        self._count(request, session)
        self._note(token, background)
        return session

    def by_cookie(self, request: Request, background: BackgroundTasks) -> Session | None:
        """Let in a person, or return None for one who has to log in.

        Raises:
            HTTPException: 429 where they ask too often.
        """
        now = self._pipeline.now()
        ticket = self.cookies.read(request.cookies.get(cookies.NAME, ""), now)
        with self._pipeline.database.read() as connection:
            token = None if ticket is None else tokens.find_by_id(connection, ticket.token_id)
            session = self._local(connection, request)
        if token is not None and ticket is not None:
            session = Session(token.name, token.scope, token.token_id, ticket.nonce)
        if session is not None:
            self._count(request, session)
            self._note(token, background)
        return session

    def log_in(self, request: Request, given: str) -> str | None:
        """Return the cookie of a new session for a token that is good.

        Raises:
            HTTPException: 429 after too many wrong ones.
        """
        with self._pipeline.database.read() as connection:
            token = tokens.find(connection, given.strip())
        if token is None:
            self._count_failure(request)
            return None
        return self.cookies.write(token.token_id, self._pipeline.now())

    def is_open(self, request: Request) -> bool:
        """Tell whether this request needs neither token nor login."""
        with self._pipeline.database.read() as connection:
            return self._local(connection, request) is not None

    def _local(self, connection: sa.Connection, request: Request) -> Session | None:
        if tokens.are_needed(connection) or not hosts.is_local(request) or hosts.is_from_another_site(request):
            return None
        return _LOCAL

    def _refuse(self, request: Request, *, wrong: bool) -> NoReturn:
        if wrong:
            self._count_failure(request)
        detail = (
            "This token is not one of ours, or was revoked."
            if wrong
            else "Send a token in the header: Authorization: Bearer egp_... Without any token in the store, only "
            "requests on this machine, for its own name, are answered."
        )
        challenge = 'Bearer realm="engagement", error="invalid_token"' if wrong else 'Bearer realm="engagement"'
        raise HTTPException(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": challenge})

    def _count(self, request: Request, session: Session) -> None:
        _raise_if(self._requests.take(session.token_id or f"client {_client(request)}"))

    def _count_failure(self, request: Request) -> None:
        _raise_if(self._failures.take(_client(request)))

    def _note(self, token: Token | None, background: BackgroundTasks) -> None:
        """Note after the answer that the token was used: nobody waits for the store's lock for that."""
        now = self._pipeline.now()
        if token is None or not tokens.is_use_to_be_noted(token, now):
            return
        # While the note is being written, others see the old one.
        noted = self._noting.get(token.token_id)
        if noted is not None and (now - noted).total_seconds() < 60:
            return
        self._noting[token.token_id] = now
        background.add_task(self._write_note, token.token_id, now)

    def _write_note(self, token_id: str, now: datetime) -> None:
        try:
            with self._pipeline.database.write() as connection:
                tokens.note_use(connection, token_id, now)
        except SQLAlchemyError as error:
            _logger.warning("the use of a token was not noted: %s", type(error).__name__)


def _client(request: Request) -> str:
    return "" if request.client is None else request.client.host


def _raise_if(wait: float) -> None:
    if wait > 0:
        seconds = str(math.ceil(wait))
        raise HTTPException(
            HTTPStatus.TOO_MANY_REQUESTS, f"Ask again in {seconds} s, and less often.", {"Retry-After": seconds}
        )
