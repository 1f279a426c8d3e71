"""The dashboard's own style sheet, scripts and icon: in memory, under addresses that change with what is in them."""

import hashlib
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from typing import Final

from fastapi import APIRouter, Response
from starlette.exceptions import HTTPException

_FOR_EVER: Final = {"Cache-Control": "public, max-age=31536000, immutable"}

_TYPES: Final = {
    "app.css": "text/css; charset=utf-8",
    "app.js": "text/javascript; charset=utf-8",
    "htmx.min.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class StaticFile:
    """One file: what it holds, and a name for exactly that."""

    content: bytes
    digest: str
    media_type: str


@cache
def static_files() -> dict[str, StaticFile]:
    """Read the files, once."""
    folder = files(__package__).joinpath("static")
    found = {}
    for name, media_type in _TYPES.items():
        content = folder.joinpath(name).read_bytes()
        found[name] = StaticFile(content, hashlib.sha256(content).hexdigest()[:16], media_type)
    return found


def static_url(name: str) -> str:
    """Return the address of a file as it is now."""
    return f"/static/{static_files()[name].digest}/{name}"


@router.get("/static/{digest}/{name}")
async def static(digest: str, name: str) -> Response:
    """Answer with a file, to be kept by the browser: another content has another address."""
    file = static_files().get(name)
    if file is None or file.digest != digest:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return Response(file.content, media_type=file.media_type, headers=_FOR_EVER)
