"""A request that creates something may be sent again under the same key, and is then answered but not done again.

What a request does, and its answer, are kept in one transaction; a process that dies in between has done neither. Where
something has transactions of its own, the key is taken first and the answer kept afterwards: until then, others are
told to wait. Answers are kept for a day. They may speak of a person: erasing the person empties them.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any, Final

import sqlalchemy as sa
from fastapi import Header
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from engagement_pipeline.platform import change_log
from engagement_pipeline.platform.idempotency import idempotency_keys
from engagement_pipeline.web.api.calls import Call
from engagement_pipeline.web.api.problems import ProblemError

KEPT_FOR: Final = timedelta(days=1)
# Whoever has begun so long ago has died.
_GIVEN_UP_AFTER: Final = timedelta(minutes=2)

REPLAYED: Final = "Idempotency-Replayed"

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=128,
        pattern=r"^[!-~]+$",
        description="Made up by you, another one for each thing you create. Sent again with the same body within a "
        "day, the request is not done again and has the same answer.",
    ),
]

_key = idempotency_keys.c


@dataclass(frozen=True)
class Done:
    """What a request has done.

    Attributes:
        body: the answer.
        status: of the answer.
        headers: of the answer.
        user_id: whom the answer speaks of, where that is one user.
    """

    body: BaseModel
    status: int = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)
    user_id: str | None = None

    def kept(self) -> dict[str, Any]:
        """Return the answer as it is kept."""
        return {"body": self.body.model_dump(mode="json"), "headers": dict(self.headers)}


class Once:
    """One request under its key, or under none."""

    def __init__(self, call: Call, key: str | None, body: BaseModel) -> None:
        """Take the request, its key and what it asks for."""
        self._call = call
        self._database = call.pipeline.database
        self._given = key is not None
        # Not the key itself: nobody promised that it names nobody.
        self._mine = {"key": _digest(key or ""), "actor": call.session.actor}
        asked = [call.request.method, call.request.url.path, body.model_dump(mode="json")]
        secret = call.pipeline.secret_key.encode()
        self._fingerprint = hmac.new(secret, json.dumps(asked).encode(), hashlib.sha256).hexdigest()

    def within(self, do: Callable[[], Done]) -> JSONResponse:
        """Do it in one transaction with keeping the answer, or answer as before.

        Raises:
            ProblemError: 422 where the key was used for something else, 409 where that is being done, 410 where the
                answer spoke of somebody who was erased.
        """
        with self._database.write() as connection:
            if self._given:
                change_log.lock(connection)
            if (before := self._before(connection)) is not None:
                return before
            done = do()
            self._keep(connection, done)
        return _answer(done)

    def around(self, do: Callable[[], Done]) -> JSONResponse:
        """Do something that has transactions of its own, or answer as before.

        Raises:
            ProblemError: as for `within`.
        """
        if not self._given:
            return _answer(do())
        with self._database.write() as connection:
            change_log.lock(connection)
            if (before := self._before(connection)) is not None:
                return before
            self._keep(connection, None)
        try:
            done = do()
        except BaseException:
            with self._database.write() as connection:
                connection.execute(self._forget())
            raise
        with self._database.write() as connection:
            connection.execute(self._forget())
            self._keep(connection, done)
        return _answer(done)

    def _before(self, connection: sa.Connection) -> JSONResponse | None:
        if not self._given:
            return None
        now = self._call.now
        connection.execute(sa.delete(idempotency_keys).where(_key.created_at < now - KEPT_FOR))
        given_up = sa.and_(_key.status.is_(None), _key.created_at < now - _GIVEN_UP_AFTER)
        connection.execute(self._forget().where(given_up))
        row = connection.execute(sa.select(idempotency_keys).filter_by(**self._mine)).one_or_none()
        if row is None:
            return None
        if not hmac.compare_digest(row.fingerprint, self._fingerprint):
            raise ProblemError(
                HTTPStatus.UNPROCESSABLE_ENTITY, "This Idempotency-Key was used for another request: make up a new one."
            )
        if row.status is None:
            raise ProblemError(HTTPStatus.CONFLICT, "The same request is being done right now.")
        if row.body is None:
            raise ProblemError(HTTPStatus.GONE, "")
        return JSONResponse(row.body["body"], row.status, {**row.body["headers"], REPLAYED: "true"})

    def _keep(self, connection: sa.Connection, done: Done | None) -> None:
        if not self._given:
            return
        row = {
            **self._mine,
            "fingerprint": self._fingerprint,
            "user_id": None if done is None else done.user_id,
            "status": None if done is None else int(done.status),
            "body": None if done is None else done.kept(),
            "created_at": self._call.now,
        }
        connection.execute(sa.insert(idempotency_keys), [row])

    def _forget(self) -> sa.Delete:
        return sa.delete(idempotency_keys).filter_by(**self._mine)


def _answer(done: Done) -> JSONResponse:
    return JSONResponse(done.body.model_dump(mode="json"), int(done.status), dict(done.headers))


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
