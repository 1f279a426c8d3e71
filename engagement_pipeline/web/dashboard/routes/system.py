"""The system: queues, what nobody can tell, the breaker, the last runs, the audit log, the settings."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter, Response

from engagement_pipeline.delivery import breaker
from engagement_pipeline.delivery.unknowns import list_unknown
from engagement_pipeline.web.dashboard import figures
from engagement_pipeline.web.dashboard.lists import PAGE_SIZE, Pager
from engagement_pipeline.web.dashboard.screen import Reader, Writer, go
from engagement_pipeline.web.dashboard.settings_shown import shown
from engagement_pipeline.web.dashboard.tiles import Tile
from engagement_pipeline.web.queries.audit import list_audit
from engagement_pipeline.web.queries.system import SystemState, Waiting, system_state

router = APIRouter(include_in_schema=False)

_SECTION: Final = "/system"
_UNKNOWN_SHOWN: Final = 20


@router.get("/system")
def show(screen: Reader) -> Response:
    """Show how the system gets on."""
    pager = Pager(screen, _SECTION, {})
    now = screen.pipeline.now()
    with screen.pipeline.database.read() as connection:
        state = system_state(connection, now)
        page = list_audit(connection, PAGE_SIZE, pager.after)
        unknown = list_unknown(connection, _UNKNOWN_SHOWN)
    return screen.show(
        "system.html.j2",
        _SECTION,
        tripped=state.stopped,
        tiles=_tiles(state, now),
        unknown=unknown,
        runs=state.jobs,
        failures=state.failures,
        audit=[{**vars(row), "words": _words(row.details)} for row in page.entries],
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
            screen.pipeline.audit.record(screen.by.entry("sending.resumed", "sending", "breaker", {}))
    return go(_SECTION, "not_stopped" if reason is None else "resumed")


def _tiles(state: SystemState, now: datetime) -> Sequence[Tile]:
    unknown = state.unknown
    return (
        _waiting("Drafts", state.drafts, now),
        _waiting("Queued e-mails", state.queued, now),
        Tile(
            "Unknown e-mails",
            figures.number(unknown.number),
            f"oldest: {figures.ago(unknown.oldest, now)}" if unknown.number else "of every one we know",
        ),
        Tile("Changes without an answer", figures.number(state.unanswered_changes), "of users and orders"),
    )


def _waiting(name: str, waiting: Waiting, now: datetime) -> Tile:
    oldest = "nothing waits" if waiting.oldest is None else f"oldest: {figures.ago(waiting.oldest, now)}"
    return Tile(name, f"{figures.number(waiting.number)}{'+' if waiting.is_more else ''}", oldest)


def _words(details: Mapping[str, Any]) -> str:
    """Return what was noted of a write: names of fields, flags and figures."""
    return ", ".join(f"{name}: {_value(value)}" for name, value in details.items())


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(str(each) for each in value) if isinstance(value, list) else str(value)
