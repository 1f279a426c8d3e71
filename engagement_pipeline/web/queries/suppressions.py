"""The suppression list, the newest entries first, and how many entries each reason has."""

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from engagement_pipeline.delivery.suppressions import Suppression, count_by_reason
from engagement_pipeline.delivery.tables import suppressions
from engagement_pipeline.platform import change_log
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


class Reasons:
    """How many entries each reason has. They are counted, which reads the list whole, once it has changed."""

    def __init__(self) -> None:
        """Begin without a count."""
        # How far the change log went that the count has seen, and the count.
        self._counted: tuple[int, Mapping[str, int]] | None = None

    def read(self, connection: sa.Connection) -> Mapping[str, int]:
        """Return the entries by reason, most frequent first."""
        pruned_to = change_log.pruned_to(connection)
        if self._counted is not None:
            seq, counts = self._counted
            if pruned_to <= seq and change_log.newest(connection, seq, ("suppression",)) is None:
                return counts
        seq = change_log.newest(connection, pruned_to, ("suppression",)) or pruned_to
        counts = count_by_reason(connection)
        self._counted = (seq, counts)
        return counts
