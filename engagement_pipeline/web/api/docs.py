"""The API's documentation as one page, whole in itself: nothing is loaded from anywhere, and no script runs."""

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from engagement_pipeline.web.api.openapi import VERSION, describe, needs_write
from engagement_pipeline.web.api.problems import KINDS

router = APIRouter(prefix="/api", include_in_schema=False)

# As deep as anybody reads.
_DEEPEST: Final = 3


@dataclass(frozen=True)
class Row:
    """A field of a body, or a parameter."""

    name: str
    kind: str
    is_required: bool
    description: str


@router.get("/openapi.json")
def openapi(request: Request) -> JSONResponse:
    """Give the description to programs."""
    return JSONResponse(_described(request.app))


@router.get("/docs")
def docs(request: Request) -> Response:
    """Give the description to people."""
    return _page(request.app)


@cache
def _described(app: Any) -> dict[str, Any]:
    return describe(app)


@cache
def _page(app: Any) -> Response:
    environment = Environment(
        loader=PackageLoader("engagement_pipeline.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = environment.get_template("docs.css.j2").render()
    described = _described(app)
    html = environment.get_template("docs.html.j2").render(
        api=described,
        version=VERSION,
        style=Markup(style),  # noqa: S704 - our own file
        about=_paragraphs(described["info"]["description"]),
        operations=_by_tag(described),
        problems=KINDS,
    )
    digest = b64encode(sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'none'"
    return HTMLResponse(html, headers={"Content-Security-Policy": policy})


def _by_tag(described: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {tag["name"]: [] for tag in described["tags"]}
    schemas = described["components"]["schemas"]
    for path, item in described["paths"].items():
        for method, operation in item.items():
            found[operation["tags"][0]].append(_operation(method.upper(), path, operation, schemas))
    return found


def _operation(method: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    body = operation.get("requestBody")
    media_type, content = next(iter(body["content"].items())) if body else (None, None)
    answer_type, answer = _answer(operation)
    return {
        "id": operation["operationId"],
        "method": method,
        "path": path,
        "summary": operation["summary"],
        "about": _paragraphs(operation.get("description", "")),
        "parameters": [_parameter(each) for each in operation.get("parameters", [])],
        "media_type": media_type,
        "fields": list(_fields(content["schema"], schemas)) if content else [],
        "example": _example(content["schema"], schemas) if content else None,
        "answer_type": answer_type,
        "answer": list(_fields(answer, schemas)) if answer else [],
        "statuses": {status: each["description"] for status, each in operation["responses"].items()},
        "needs_token": "security" in operation,
        "needs_write": needs_write(operation),
    }


def _answer(operation: Mapping[str, Any]) -> tuple[str | None, Mapping[str, Any] | None]:
    for status, response in operation["responses"].items():
        if status.startswith("2") and response.get("content"):
            media_type, content = next(iter(response["content"].items()))
            return media_type, content.get("schema")
    return None, None


def _parameter(parameter: Mapping[str, Any]) -> Row:
    description = parameter.get("description") or parameter["schema"].get("description", "")
    name = f"{parameter['name']} ({parameter['in']})"
    return Row(name, _kind(parameter["schema"]), parameter.get("required", False), description)


def _fields(schema: Mapping[str, Any], schemas: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[Row]:
    resolved = _resolved(schema, schemas)
    required = resolved.get("required", [])
    for name, each in resolved.get("properties", {}).items():
        yield Row(f"{prefix}{name}", _kind(each), name in required, each.get("description", ""))
        if depth < _DEEPEST:
            inner, mark = _inner(each)
            yield from _fields(inner, schemas, f"{prefix}{name}{mark}.", depth + 1)


def _inner(schema: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """Return the schema whose fields lie within a field."""
    for choice in schema.get("anyOf", []):
        if choice.get("type") != "null":
            return _inner(choice)
    return (schema["items"], "[]") if "items" in schema else (schema, "")


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    resolved: Mapping[str, Any] = schemas[reference.rpartition("/")[2]] if reference else schema
    return resolved


def _kind(schema: Mapping[str, Any]) -> str:
    """Say in a word what a value is."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    if "enum" in schema:
        # All time zones are too many to read.
        values = schema["enum"][:15]
        return ", ".join(map(str, values)) + (", …" if len(schema["enum"]) > len(values) else "")
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    return str(schema.get("format") or schema.get("type", "anything"))


def _example(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str | None:
    examples = _resolved(schema, schemas).get("examples")
    return json.dumps(examples[0], indent=2, ensure_ascii=False) if examples else None


def _paragraphs(text: str) -> list[Markup]:
    """Return the paragraphs of a text; `code` and **strong** are the only marks in ours."""
    return [_marked(" ".join(paragraph.split())) for paragraph in text.split("\n\n") if paragraph.strip()]


def _marked(text: str) -> Markup:
    parts = str(escape(text)).split("`")
    html = "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))
    strong = html.split("**")
    html = "".join(f"<strong>{part}</strong>" if place % 2 else part for place, part in enumerate(strong))
    return Markup(html)  # noqa: S704 - escaped above
