"""Which paths there are, and with which methods: asked for an answer's `Allow`, and for the names of measurements."""

from collections.abc import Iterable

from fastapi import APIRouter
from fastapi.routing import APIRoute


class RouteBook:
    """The routes of an application, flat, in the order in which they are tried."""

    def __init__(self, routers: Iterable[APIRouter]) -> None:
        """Take the routers, as they are included: without a further prefix."""
        self._routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]

    def allowed(self, path: str) -> list[str]:
        """Return the methods that a path has, over all its routes; a framework names those of the first one only."""
        return sorted({method for route in self._matching(path) for method in route.methods or ()})

    def template(self, path: str) -> str | None:
        """Return the path with the names of its parameters instead of their values, None for one that is not ours."""
        return next((route.path for route in self._matching(path)), None)

    def _matching(self, path: str) -> Iterable[APIRoute]:
        return (route for route in self._routes if route.path_regex.match(path))
