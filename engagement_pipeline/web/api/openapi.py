"""The API's own description, put together from the handlers: OpenAPI 3.1."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from engagement_pipeline.web.api.calls import WRITE
from engagement_pipeline.web.api.problems import KINDS, MEDIA_TYPE, Problem

VERSION: Final = "1.0.0"

_REF: Final = "#/components/schemas/{model}"

_ABOUT: Final = """\
Scores how likely each user is to order again, decides whom to write to, writes, and measures whether it helped.

**Let in.** Send `Authorization: Bearer egp_...`. `engagement tokens add NAME --scope read|write` makes a token. Without
any token in the store, only requests on the machine itself are answered.

**Reactions.** Creating or changing a user or an order is a change like any other: the pipeline reacts within seconds.
The answer carries the score computed at once, by the same formula.

**Lists** are read page by page: follow `next` until it is null. A page may hold fewer items than its limit before that.

**Changes** name the version that they are meant for: send the `ETag` back as `If-Match`.

**Creating** something twice by mistake is avoided by an `Idempotency-Key`.

**Errors** are `application/problem+json` (RFC 9457). They name fields and reasons, and never repeat what was sent.
"""

_EVERYWHERE: Final = (400, 401, 422, 429, 503)
_WITH_BODY: Final = (413,)
_WRITING: Final = (403,)


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the description of all operations of the application that are documented."""
    described = get_openapi(
        title="Engagement",
        version=VERSION,
        summary="Who is at risk, what was written, and whether it helped.",
        description=_ABOUT,
        routes=app.routes,
        tags=_TAGS,
    )
    schemas = described["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    _, problem = models_json_schema([(Problem, "serialization")], ref_template=_REF)
    schemas.update(problem["$defs"])
    for item in described["paths"].values():
        for operation in item.values():
            _complete(operation)
    return described


def needs_write(operation: Mapping[str, Any]) -> bool:
    """Tell whether an operation takes a token that may write."""
    return any(WRITE in roles for each in operation.get("security", ()) for roles in each.values())


_TAGS: Final = [
    {"name": "Users", "description": "Whom the shop knows, and how engaged they are."},
    {"name": "Orders", "description": "Purchases: what the score is made of."},
    {"name": "E-mails", "description": "What was decided, written, sent, and reported."},
    {"name": "Suppressions", "description": "Addresses that must never be written to."},
    {"name": "Metrics", "description": "What the dashboard shows, precomputed."},
    {"name": "System", "description": "How the system stands, and who changed what."},
    {"name": "Health", "description": "For whoever watches over the process."},
]


def _complete(operation: dict[str, Any]) -> None:
    """Document the errors that an operation may end with, in their own form, and the headers of every answer."""
    for parameter in operation.get("parameters", []):
        _say_how_it_is_sent(parameter, operation["responses"])
    responses = operation["responses"]
    if "security" in operation:
        further = (*(_WITH_BODY if "requestBody" in operation else ()), *(_WRITING if needs_write(operation) else ()))
        for status in (*_EVERYWHERE, *further):
            responses.setdefault(str(status), {"description": KINDS[status].title})
    elif "422" in responses:
        del responses["422"]
    for status, response in responses.items():
        if status.isdigit() and int(status) in KINDS and (status != "503" or "content" not in response):
            response["description"] = KINDS[int(status)].title
            response["content"] = {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}}}
        response.setdefault("headers", {}).update(_HEADERS)
        if status in ("429", "503"):
            response["headers"]["Retry-After"] = _RETRY_AFTER
    operation["responses"] = dict(sorted(responses.items()))


def _say_how_it_is_sent(parameter: dict[str, Any], responses: dict[str, Any]) -> None:
    """Document a parameter as it stands in a request: what is not sent is left out, and not null."""
    schema = parameter["schema"]
    choices = [choice for choice in schema.pop("anyOf", []) if choice.get("type") != "null"]
    if choices:
        parameter["schema"] = {**choices[0], **schema}
    if parameter["name"] == "if-match" and "428" in responses:
        parameter["required"] = True


_HEADERS: Final = {
    "X-Request-ID": {"description": "Names the request.", "schema": {"type": "string"}, "required": True}
}
_RETRY_AFTER: Final = {"description": "In how many seconds to ask again.", "schema": {"type": "integer"}}
