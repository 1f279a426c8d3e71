"""Whether a row fits its table: found out before, so that every database refuses the same, and only that row."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from engagement_pipeline.platform.sql import UtcDateTime

_LARGEST_INTEGER: Final = 2**31 - 1


def misfit(table: sa.Table, row: Mapping[str, Any]) -> str | None:
    """Return the first column that cannot hold the row's value for it; None where all can."""
    return next((column.name for column in table.columns if not fits(column, row.get(column.name))), None)


def fits(column: sa.Column[Any], value: Any) -> bool:
    """Tell whether a column can hold a value."""
    if value is None:
        return bool(column.nullable) or bool(column.autoincrement is True)
    kind = column.type
    if isinstance(kind, sa.JSON):
        return True
    if isinstance(kind, sa.String):
        return isinstance(value, str) and "\x00" not in value and len(value) <= (kind.length or len(value))
    if isinstance(kind, sa.Float):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if isinstance(kind, sa.Integer):
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST_INTEGER
    if isinstance(kind, UtcDateTime):
        return isinstance(value, datetime) and value.tzinfo is not None
    return isinstance(value, kind.python_type)
