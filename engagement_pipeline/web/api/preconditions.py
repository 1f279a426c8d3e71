"""Which version somebody has seen: ETags that are made of it, and If-Match (RFC 9110)."""

import re
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Depends, Header

from engagement_pipeline.web.api.problems import ProblemError

_TAG: Final = re.compile(r'(?:W/)?"v(\d{1,18})"')
_DESCRIPTION: Final = "The ETag of what you have read, so that nobody else's change is overwritten; `*` for any."

CHANGED: Final = "Somebody else has changed it since you read it."


class Versions:
    """The versions that a request is good for."""

    def __init__(self, header: str | None) -> None:
        """Read the header; what is no ETag of ours is that of no version."""
        self.is_given = header is not None
        self._any = header is None or header == "*"
        self._numbers = frozenset(int(number) for number in _TAG.findall(header or ""))

    def check(self, version: int) -> int:
        """Return the version, if the request is good for it.

        Raises:
            ProblemError: 412 where it is not.
        """
        if not self._any and version not in self._numbers:
            raise ProblemError(HTTPStatus.PRECONDITION_FAILED, CHANGED)
        return version


def etag(version: int) -> str:
    """Return the ETag of a version."""
    return f'"v{version}"'


_Header = Annotated[str | None, Header(description=_DESCRIPTION, examples=["*"])]


async def _optional(if_match: _Header = None) -> Versions:
    return Versions(if_match)


async def _required(if_match: _Header = None) -> Versions:
    versions = Versions(if_match)
    if not versions.is_given:
        raise ProblemError(HTTPStatus.PRECONDITION_REQUIRED, "Send If-Match with the ETag of what you have read.")
    return versions


IfMatch = Annotated[Versions, Depends(_optional)]
NeedsIfMatch = Annotated[Versions, Depends(_required)]
