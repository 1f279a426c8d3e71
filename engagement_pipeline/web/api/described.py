"""What the documentation says of answers: their errors, their headers, and where one can go on from them."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from engagement_pipeline.web.api.problems import KINDS

Responses = dict[int | str, dict[str, Any]]

ETAG: Final = {
    "ETag": {"description": "The version: send it back as If-Match.", "schema": {"type": "string"}, "required": True}
}
LOCATION: Final = {"Location": {"description": "Where to find it.", "schema": {"type": "string"}, "required": True}}


def problems(*statuses: int) -> Responses:
    """Document errors beside those that every operation may end with."""
    return {status: {"description": KINDS[status].title} for status in statuses}


def answers(
    status: int,
    description: str,
    model: type[BaseModel] | None = None,
    *,
    headers: Mapping[str, Any] | None = None,
    links: Mapping[str, Any] | None = None,
) -> Responses:
    """Document an answer with its form (where it is not the one that the handler names), headers and links."""
    described: dict[str, Any] = {"description": description}
    if model is not None:
        described["model"] = model
    if headers:
        described["headers"] = dict(headers)
    if links:
        described["links"] = dict(links)
    return {status: described}


def link(operation: str, *, body: Any = None, **parameters: str) -> dict[str, Any]:
    """Return a link to another operation, its parameters taken from the answer, or from the request."""
    described: dict[str, Any] = {"operationId": operation}
    if parameters:
        described["parameters"] = parameters
    if body is not None:
        described["requestBody"] = body
    return described


def user_links(user_id: str) -> dict[str, Any]:
    """Return what can be done with a user whose id is at this place."""
    of_user = ("get_user", "list_emails_of_user", "list_orders_of_user", "get_timeline", "export_user", "delete_user")
    return {name: link(name, user_id=user_id) for name in of_user} | {
        "change_user": {
            **link("change_user", body={"consent": True}, user_id=user_id),
            "parameters": {"user_id": user_id, "if-match": "$response.header.ETag"},
        },
    }
