"""The audit log, the newest entries first."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from engagement_pipeline.platform.audit import audit_log
from engagement_pipeline.web.queries.cursors import Position
from engagement_pipeline.web.queries.paging import Segment, read_page


@dataclass(frozen=True)
class AuditRow:
    """Who did what to what, and when."""

    audit_id: int
    happened_at: datetime
    actor: str
    action: str
    entity: str
    entity_id: str
    details: Mapping[str, Any]
    request_id: str | None


@dataclass(frozen=True)
class AuditPage:
    """A page of entries, and where the next one begins; None behind the last."""

    entries: list[AuditRow]
    following: Position | None


def list_audit(
    connection: sa.Connection,
    limit: int,
    after: Position | None = None,
    *,
    entity: str | None = None,
    entity_id: str | None = None,
) -> AuditPage:
    """Return a page of the log, of everything, or of one entity: then name both what it is and which."""
    wanted = {"entity": entity, "entity_id": entity_id}
    given = {name: value for name, value in wanted.items() if value is not None}
    query = sa.select(audit_log)
    filters: tuple[sa.ColumnElement[bool], ...] = ()
    if len(given) == len(wanted):
        query = query.filter_by(**given)
    else:
        filters = tuple(audit_log.c[name] == value for name, value in given.items())
    newest = Segment(query, (audit_log.c.audit_id,), descending=True, filters=filters)
    rows = read_page(connection, [newest], limit, after)
    return AuditPage([AuditRow(**row._mapping) for row in rows.rows], rows.following)
