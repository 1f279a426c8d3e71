"""What is kept of a request: enough to tell people from machines, and neither its address nor its network address."""

from typing import Final

from fastapi import Request

_LONGEST: Final = 512

# Browsers that look ahead say so: https://fetch.spec.whatwg.org/#sec-purpose-header, and by older names.
_PURPOSES: Final = ("sec-purpose", "purpose", "x-purpose", "x-moz")


def origin_of(request: Request) -> dict[str, str]:
    """Return the request's method, its `user_agent` where it names one, and `purpose` where that is to look ahead."""
    origin = {"method": request.method}
    if agent := request.headers.get("user-agent", "").strip():
        origin["user_agent"] = agent[:_LONGEST]
    purposes = " ".join(request.headers.get(name, "") for name in _PURPOSES)
    if "prefetch" in purposes or "preview" in purposes:
        origin["purpose"] = "prefetch"
    return origin
