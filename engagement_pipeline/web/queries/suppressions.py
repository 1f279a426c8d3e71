"""The suppression list, the newest entries first."""

from dataclasses import dataclass

import sqlalchemy as sa

from engagement_pipeline.delivery.suppressions import Suppression
from engagement_pipeline.delivery.tables import suppressions
from engagement_pipeline.web.queries.cursors import Position
from engagement_pipeline.web.queries.paging import Segment, read_page


@dataclass(frozen=True)
class SuppressionPage:
    """A page of entries, and where the next one begins; None behind the last."""

    suppressions: list[Suppression]
    following: Position | None


def list_suppressions(
    connection: sa.Connection,
    limit: int,
    after: Position | None = None,
    *,
    reason: str | None = None,
    source: str | None = None,
) -> SuppressionPage:
    """Return a page of the list, of all or of one reason or source."""
    wanted = {"reason": reason, "source": source}
    newest = Segment(
        sa.select(suppressions),
        (suppressions.c.suppressed_at, suppressions.c.address_key),
        descending=True,
        filters=tuple(suppressions.c[name] == value for name, value in wanted.items() if value is not None),
    )
    rows = read_page(connection, [newest], limit, after)
    return SuppressionPage([Suppression(**row._mapping) for row in rows.rows], rows.following)
