"""Careful reading of JSON that others have written."""

import json
from typing import Any

from engagement_pipeline.delivery.feedback.errors import BadEventError


def read_object(text: str) -> dict[str, Any]:
    """Read a JSON object that can be stored as text.

    Raises:
        BadEventError: it is none.
    """
    try:
        text.encode()
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise BadEventError(None, "is not JSON") from None
    if not isinstance(value, dict):
        raise BadEventError(None, "is not a JSON object")
    return value


def part(value: dict[str, Any], name: str) -> dict[str, Any]:
    """Return an object within an object; an empty one where it is missing or something else."""
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def items(value: dict[str, Any], name: str) -> list[Any]:
    """Return a list within an object; an empty one where it is missing or something else."""
    found = value.get(name)
    return found if isinstance(found, list) else []
