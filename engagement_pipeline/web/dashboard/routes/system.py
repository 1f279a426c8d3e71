"""The system: queues, what nobody can tell, the breaker, the last runs, the audit log, the settings."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from fastapi import APIRouter, Response

from engagement_pipeline.delivery import breaker
from engagement_pipeline.delivery.statuses import OPEN
from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.delivery.unknowns import count_unknown, list_unknown
from engagement_pipeline.platform.audit import audit_log
from engagement_pipeline.platform.change_log import change_log
from engagement_pipeline.web.dashboard import figures
from engagement_pipeline.web.dashboard.lists import PAGE_SIZE, Pager
from engagement_pipeline.web.dashboard.runs import last_runs
from engagement_pipeline.web.dashboard.screen import Reader, Screen, Writer, go
from engagement_pipeline.web.dashboard.settings_shown import shown
from engagement_pipeline.web.dashboard.tiles import Tile
from engagement_pipeline.web.queries.paging import Segment, read_page

router = APIRouter(include_in_schema=False)

_SECTION: Final = "/system"
_UNKNOWN_SHOWN: Final = 20


@router.get("/system")
def show(screen: Reader) -> Response:
    """Show how the system gets on."""
    pager = Pager(screen, _SECTION, {})
    newest = Segment(sa.select(audit_log), (audit_log.c.audit_id,), descending=True)
    with screen.pipeline.database.read() as connection:
        page = read_page(connection, [newest], PAGE_SIZE, pager.after)
        return screen.show(
            "system.html.j2",
            _SECTION,
            tripped=breaker.tripped(connection),
            tiles=_tiles(screen, connection),
            unknown=list_unknown(connection, _UNKNOWN_SHOWN),
            runs=last_runs(connection),
            audit=[{**row._mapping, "words": _words(row.details)} for row in page.rows],
            first=pager.first,
            next=pager.next(page.following),
            settings=shown(screen.pipeline.settings),
        )


@router.post("/system/resume")
def resume(screen: Writer) -> Response:
    """Let sending go on after the breaker has tripped."""
    with screen.pipeline.database.write() as connection:
        reason = breaker.reset(connection, screen.pipeline.now())
        if reason is not None:
            screen.note(connection, "sending.resumed", "sending", "breaker", {})
    return go(_SECTION, "not_stopped" if reason is None else "resumed")


def _tiles(screen: Screen, connection: sa.Connection) -> Sequence[Tile]:
    now = screen.pipeline.now()
    waiting = sa.select(
        emails.c.status, sa.func.count().label("number"), sa.func.min(emails.c.created_at).label("oldest")
    )
    open_rows = {
        row.status: row
        for row in connection.execute(waiting.where(emails.c.status.in_(OPEN)).group_by(emails.c.status))
    }
    unknown = count_unknown(connection)
    newest = connection.execute(sa.select(change_log.c.changed_at).order_by(change_log.c.seq.desc()).limit(1)).scalar()
    tiles = []
    for status, name in (("draft", "Drafts"), ("queued", "Queued e-mails")):
        row = open_rows.get(status)
        oldest = f"oldest: {figures.ago(row.oldest, now)}" if row else "nothing waits"
        tiles.append(Tile(name, figures.number(row.number if row else 0), oldest))
    oldest = f"oldest: {figures.ago(unknown.oldest, now)}" if unknown.number else "of every e-mail we know"
    tiles.append(Tile("Unknown", figures.number(unknown.number), oldest))
    tiles.append(Tile("Last change", figures.ago(newest, now), "of a user, an order or an e-mail"))
    return tiles


def _words(details: Mapping[str, Any]) -> str:
    """Return what was noted of a write: names of fields, flags and figures."""
    return ", ".join(f"{name}: {_value(value)}" for name, value in details.items())


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(str(each) for each in value) if isinstance(value, list) else str(value)
