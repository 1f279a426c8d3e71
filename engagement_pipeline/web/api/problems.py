"""What goes wrong, as RFC 9457 has it: `application/problem+json`. It names fields and reasons, never a value."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

MEDIA_TYPE: Final = "application/problem+json"
DOCS: Final = "/api/docs"


class FieldError(BaseModel):
    """What is wrong with one field of a request."""

    field: str = Field(description="Where: a name, or names joined by dots. `body` for the whole.")
    reason: str = Field(description="A short code.")
    message: str = Field(description="The same in words; never what was sent.")


class Problem(BaseModel):
    """Every error has this form."""

    type: str = Field(description="Leads to a description of this kind of problem.")
    title: str
    status: int
    detail: str = Field(description="What helps in this case.")
    request_id: str = Field(description="Names the request, also in the audit log.")
    errors: list[FieldError] | None = Field(None, description="What is wrong with each field.")
    email_id: str | None = Field(None, description="Where another e-mail is in the way: which one.")


@dataclass(frozen=True)
class Kind:
    """A kind of problem: its name in `type`, its title, and what it means."""

    name: str
    title: str
    meaning: str


KINDS: Final[Mapping[int, Kind]] = {
    400: Kind("bad-request", "Bad request", "The request cannot be read: a cursor, a header or JSON that is not ours."),
    401: Kind("unauthorised", "A token is needed", "Send a token that is good: Authorization: Bearer egp_..."),
    403: Kind("forbidden", "Not allowed", "The token may only read."),
    404: Kind("not-found", "Not found", "There is nothing by this id."),
    405: Kind("method", "Wrong method", "The header Allow names the methods that there are."),
    409: Kind("conflict", "Conflict", "It exists already, is not in the state for this, or is being done right now."),
    410: Kind("gone", "Gone", "The answer kept for this Idempotency-Key spoke of a person who has been erased."),
    412: Kind("changed", "Changed meanwhile", "If-Match names another version: read it again, then decide."),
    413: Kind("too-large", "Too large", "The body is longer than is taken here."),
    415: Kind("media-type", "Wrong media type", "The header Content-Type names what is not taken here."),
    422: Kind("invalid", "Not valid", "`errors` names each field and what is wrong with it."),
    428: Kind("version-needed", "A version is needed", "Send If-Match with the ETag of what you have read."),
    429: Kind("too-many", "Too many requests", "The header Retry-After says in how many seconds to ask again."),
    500: Kind("internal", "Our mistake", "It has been noted under the request's id."),
    503: Kind("busy", "Busy", "The store does not answer now. Ask again in a while; with an Idempotency-Key safely."),
}


class ProblemError(Exception):
    """Ends a request with a problem."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[FieldError] | None = None,
        headers: Mapping[str, str] | None = None,
        email_id: str | None = None,
    ) -> None:
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = headers
        self.email_id = email_id
        super().__init__(detail)


def not_found(what: str) -> ProblemError:
    """Say that there is no user, order, e-mail ... of this id."""
    return ProblemError(HTTPStatus.NOT_FOUND, f"There is no {what} of this id.")


def invalid(field: str, reason: str, message: str) -> ProblemError:
    """Say what is wrong with one field."""
    return not_valid([FieldError(field=field, reason=reason, message=message)])


def not_valid(errors: Sequence[FieldError]) -> ProblemError:
    """Say what is wrong with each field."""
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, _fields(errors), errors=errors)


def answer(request: Request, error: ProblemError) -> JSONResponse:
    """Return the problem as an answer."""
    kind = KINDS.get(error.status, Kind("other", HTTPStatus(error.status).phrase, ""))
    problem = Problem(
        type=f"{DOCS}#problem-{kind.name}",
        title=kind.title,
        status=error.status,
        detail=error.detail or kind.meaning,
        request_id=request_id(request),
        errors=None if error.errors is None else list(error.errors),
        email_id=error.email_id,
    )
    body = problem.model_dump(exclude_none=True)
    return JSONResponse(body, error.status, dict(error.headers or {}), media_type=MEDIA_TYPE)


def request_id(request: Request) -> str:
    """Return the name of a request."""
    return str(getattr(request.state, "request_id", ""))


def field_errors(errors: Iterable[Mapping[str, Any]]) -> list[FieldError]:
    """Return what pydantic found, without what was sent."""
    return [
        FieldError(field=_field(each["loc"]), reason=str(each["type"]), message=str(each["msg"])) for each in errors
    ]


def _field(location: Sequence[int | str]) -> str:
    # FastAPI begins with where it stood: body, query, path, header. The name says enough, but for the whole.
    names = [str(part) for part in location[1:]] if location and location[0] in _PLACES else list(map(str, location))
    # Names of fields that we do not know are the sender's own words.
    return ".".join(name if _NAME.fullmatch(name) else "(unknown)" for name in names) or "body"


_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,40}", re.ASCII)
_PLACES: Final = frozenset({"body", "query", "path", "header"})


def _fields(errors: Sequence[FieldError]) -> str:
    names = ", ".join(dict.fromkeys(error.field for error in errors))
    return f"Not valid: {names}."[:500]
