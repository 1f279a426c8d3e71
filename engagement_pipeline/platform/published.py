"""What assets have computed for the API and the dashboard, which never look into the warehouse."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from engagement_pipeline.platform.sql import UtcDateTime, metadata, upsert

published = sa.Table(
    "published",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("payload", sa.JSON, nullable=False),
    sa.Column("computed_at", UtcDateTime, nullable=False),
)


@dataclass(frozen=True)
class Published:
    """What was computed, as JSON, and when."""

    payload: Any
    computed_at: datetime


def put(connection: sa.Connection, payloads: Mapping[str, Any], now: datetime) -> None:
    """Publish figures by name, each replacing what was published under it before.

    Args:
        connection: a writing transaction; readers see all of its figures at once.
        payloads: what JSON can hold, some kilobytes at most; nothing personal.
        now: the moment of computing.
    """
    rows = [{"name": name, "payload": payload, "computed_at": now} for name, payload in payloads.items()]
    upsert(connection, published, rows, ["payload", "computed_at"])


def get(connection: sa.Connection, names: Collection[str]) -> dict[str, Published]:
    """Return what is published under these names; those under which nothing is are absent."""
    query = sa.select(published).where(published.c.name.in_(names))
    return {row.name: Published(row.payload, row.computed_at) for row in connection.execute(query)}
