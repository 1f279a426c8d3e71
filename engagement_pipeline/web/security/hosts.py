"""Where a request comes from, as far as that can be known: from this machine, or from another site's page."""

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request

# A proxy says for whom it asks; then the machine that the connection comes from says nothing.
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


def is_loopback(host: str) -> bool:
    """Tell whether a name or address is this machine's own; names other than localhost are not asked for."""
    bare = host.strip("[]").lower()
    if bare == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def is_local(request: Request) -> bool:
    """Tell whether a request was made on this machine, and for a name of this machine.

    The name matters as much: a page whose own name suddenly leads to this machine (DNS rebinding) asks from here too.
    """
    if any(name in request.headers for name in _FORWARDED):
        return False
    return request.client is not None and is_loopback(request.client.host) and is_loopback(_host(request))


def is_from_another_site(request: Request) -> bool:
    """Tell whether a browser says that another site's page makes it ask; what is no browser says nothing.

    See https://www.w3.org/TR/fetch-metadata/ and, for older browsers, the Origin header.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc.lower() != request.headers.get("host", "").lower()


def _host(request: Request) -> str:
    try:
        return urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""
