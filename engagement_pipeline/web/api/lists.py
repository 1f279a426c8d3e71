"""Pages of lists: where each begins, and the address of the next one."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from engagement_pipeline.web.api.calls import Call
from engagement_pipeline.web.api.models.common import Listed
from engagement_pipeline.web.api.problems import ProblemError
from engagement_pipeline.web.queries.cursors import CursorError, Cursors, Position, list_name


class Pager:
    """The pages of the list that a request asks for."""

    def __init__(self, call: Call, query: Listed) -> None:
        """Take the request and its parameters.

        Raises:
            ProblemError: 400 where the cursor is not one of this list.
        """
        # As it was sent: ids in it are encoded.
        self._path = (call.request.scope.get("raw_path") or call.request.url.path.encode()).decode("ascii", "replace")
        self._filters: Mapping[str, Any] = query.filters()
        self._limit = query.limit
        self._cursors = Cursors(call.pipeline.secret_key)
        self._name = list_name(self._path, list(self._filters.items()))
        self.after = None if query.cursor is None else self._read(query.cursor)

    def next(self, following: Position | None) -> str | None:
        """Return the address of the next page."""
        if following is None:
            return None
        cursor = self._cursors.write(following, self._name)
        return f"{self._path}?{urlencode({**self._filters, 'limit': self._limit, 'cursor': cursor})}"

    def _read(self, cursor: str) -> Position:
        try:
            return self._cursors.read(cursor, self._name)
        except CursorError:
            raise ProblemError(
                HTTPStatus.BAD_REQUEST,
                "The cursor is not one of this list: take it from `next`, with the same filters.",
            ) from None
