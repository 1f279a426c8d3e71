"""Lists that go on: the addresses of a list's pages, with its filters, and where each begins."""

from collections.abc import Mapping
from urllib.parse import urlencode

from engagement_pipeline.web.dashboard.screen import Screen
from engagement_pipeline.web.queries.cursors import CursorError, Cursors, Position, list_name

PAGE_SIZE = 50


class Pager:
    """The pages of one list."""

    def __init__(self, screen: Screen, path: str, chosen: Mapping[str, str]) -> None:
        """Take the list's path and filters; empty filters are none."""
        self._path = path
        self._chosen = {name: value for name, value in chosen.items() if value}
        self._name = list_name(path, list(self._chosen.items()))
        self._cursors = Cursors(screen.pipeline.secret_key)
        self._cursor = screen.request.query_params.get("after", "")

    @property
    def after(self) -> Position | None:
        """Where the page asked for begins; one of another list, or of none, is the first page."""
        try:
            return self._cursors.read(self._cursor, self._name) if self._cursor else None
        except CursorError:
            return None

    @property
    def first(self) -> str | None:
        """The address of the first page, None on it."""
        return self._address({}) if self.after is not None else None

    def next(self, following: Position | None) -> str | None:
        """Return the address of the next page."""
        return None if following is None else self._address({"after": self._cursors.write(following, self._name)})

    def _address(self, further: Mapping[str, str]) -> str:
        query = urlencode({**self._chosen, **further})
        return f"{self._path}?{query}" if query else self._path
