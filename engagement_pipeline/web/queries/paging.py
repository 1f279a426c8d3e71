"""Pages of lists by keyset: a page is one range of an index, so that the ten-thousandth is as quick as the first.

A list may consist of segments one behind the other, such as users who have ordered and those who never have. Where no
index knows a filter, a page looks at so many rows at most: it may then be short, or empty, and still not be the last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from engagement_pipeline.web.queries.cursors import Key, Position

# What a page looks at where a filter is not part of the index: some 20 ms.
LOOKED_AT: Final = 5_000


@dataclass(frozen=True)
class Segment:
    """A part of a list.

    Attributes:
        query: selects the columns that a page needs, among them the keys; its conditions are those of an index.
        keys: in which order; together unique, and an index in this order follows what `query` asks for.
        descending: the order of all keys.
        filters: conditions that no index knows and that few rows may meet.
    """

    query: sa.Select[Any]
    keys: tuple[sa.ColumnElement[Any], ...]
    descending: bool = False
    filters: tuple[sa.ColumnElement[bool], ...] = ()


@dataclass(frozen=True)
class Rows:
    """A page: its rows, and where the next one begins; None behind the last."""

    rows: list[sa.Row[Any]]
    following: Position | None


def read_page(
    connection: sa.Connection, segments: Sequence[Segment], limit: int, after: Position | None = None
) -> Rows:
    """Return the page behind a position.

    Args:
        connection: reads.
        segments: the list.
        limit: most rows of the page.
        after: where the page before ended; None for the first page.
    """
    rows: list[sa.Row[Any]] = []
    start = after.segment if after is not None else 0
    for number in range(start, len(segments)):
        segment = segments[number]
        keys = after.keys if after is not None and number == after.segment and after.keys else None
        found, stopped_at = _read(connection, segment, limit - len(rows), keys)
        rows.extend(found)
        if stopped_at is not None:
            return Rows(rows, Position(number, stopped_at))
        if len(rows) == limit and number + 1 < len(segments):
            return Rows(rows, _beginning_of_rest(connection, segments, number + 1))
    return Rows(rows, None)


def _read(
    connection: sa.Connection, segment: Segment, limit: int, after: tuple[Key, ...] | None
) -> tuple[list[sa.Row[Any]], tuple[Key, ...] | None]:
    """Return the rows of a segment, and the keys of the last one looked at if there may be more."""
    ordered = _ordered(segment, after)
    boundary = _boundary(connection, segment, ordered) if segment.filters else None
    matching = ordered.where(*segment.filters)
    if boundary is not None:
        matching = matching.where(~_is_behind(segment, boundary))
    rows = list(connection.execute(matching.limit(limit + 1)))
    return (rows, boundary) if len(rows) <= limit else (rows[:limit], _keys(segment, rows[limit - 1]))


def _boundary(connection: sa.Connection, segment: Segment, ordered: sa.Select[Any]) -> tuple[Key, ...] | None:
    """Return the keys of the last row that this page looks at; None where the segment ends before."""
    last = ordered.with_only_columns(*segment.keys).offset(LOOKED_AT - 1).limit(1)
    row = connection.execute(last).one_or_none()
    return None if row is None else tuple(row)


def _ordered(segment: Segment, after: tuple[Key, ...] | None) -> sa.Select[Any]:
    query = segment.query.order_by(*(key.desc() if segment.descending else key.asc() for key in segment.keys))
    if after is None:
        return query
    return query.where(_is_behind(segment, after))


def _is_behind(segment: Segment, place: tuple[Key, ...]) -> sa.ColumnElement[bool]:
    keys = sa.tuple_(*segment.keys)
    seen = sa.tuple_(*(sa.literal(value, key.type) for key, value in zip(segment.keys, place, strict=True)))
    return keys < seen if segment.descending else keys > seen


def _keys(segment: Segment, row: sa.Row[Any]) -> tuple[Key, ...]:
    return tuple(row._mapping[str(key.key)] for key in segment.keys)


def _beginning_of_rest(connection: sa.Connection, segments: Sequence[Segment], start: int) -> Position | None:
    """Return the first segment from `start` on that has a row: a full page may have been the last."""
    for number in range(start, len(segments)):
        rows, stopped_at = _read(connection, segments[number], 1, None)
        if rows or stopped_at is not None:
            return Position(number, ())
    return None
