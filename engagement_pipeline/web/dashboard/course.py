"""The course of events as lines to read: of a user, and of one e-mail."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engagement_pipeline.scoring.shown import shown
from engagement_pipeline.web.dashboard import figures
from engagement_pipeline.web.dashboard.words import (
    BANDS,
    EVENTS,
    ORDER_STATUSES,
    STATUSES,
    readable,
    reason_meaning,
)
from engagement_pipeline.web.queries.emails import EmailDetail, EventRow
from engagement_pipeline.web.queries.timeline import Entry

_DECISIONS: Mapping[str, str] = {
    "mail": "Chosen to be written to",
    "hold_out": "Held out, to measure the effect",
    "skip": "Not written to after all",
}

_CHANGES: Mapping[str, str] = {
    "user.created": "Added",
    "user.updated": "Changed",
    "user.deleted": "Deleted",
    "user.exported": "Exported",
    "email.requested": "E-mail asked for",
}


@dataclass(frozen=True)
class Line:
    """One thing that happened: when (or on which day), in words, more about it, and where it leads."""

    at: datetime
    words: str
    detail: str = ""
    link: str | None = None
    is_whole_day: bool = False


def of_user(entries: Iterable[Entry]) -> list[Line]:
    """Return a user's timeline as lines."""
    return [
        Line(
            entry.at,
            *_words(entry),
            link=None if entry.email_id is None else f"/email/{entry.email_id}",
            is_whole_day=entry.kind == "band",
        )
        for entry in entries
    ]


def of_email(detail: EmailDetail) -> list[Line]:
    """Return what became of an e-mail, the newest first: the moments of its row, and what was reported of it."""
    row = detail.row
    lines = [Line(row.decided_at, "Held out" if row.status == "held_out" else "Decided and written")]
    if row.sent_at is not None:
        lines.append(Line(row.sent_at, "Handed over", "" if detail.provider is None else f"to {detail.provider}"))
    if row.status in ("skipped", "failed", "unknown"):
        lines.append(Line(row.updated_at, STATUSES[row.status], reason_meaning(row.reason)))
    lines.extend(
        Line(event.occurred_at, EVENTS.get(event.kind, readable(event.kind)), _event(event)) for event in detail.events
    )
    # What is reported at once comes after what it speaks of.
    return [line for _, line in sorted(enumerate(lines), key=lambda each: (each[1].at, each[0]), reverse=True)]


def _words(entry: Entry) -> tuple[str, str]:
    details = entry.details
    if entry.kind == "order":
        return f"Order of {figures.money(details['total_value'])}", ORDER_STATUSES.get(entry.what, entry.what)
    if entry.kind == "decision":
        return _decision(entry)
    if entry.kind == "email":
        words = "E-mail could not be sent" if entry.what == "failed" else "E-mail sent"
        return words, reason_meaning(details.get("reason")) or _campaign(details)
    if entry.kind == "event":
        return EVENTS.get(entry.what, readable(entry.what)), _reported(details)
    if entry.kind == "band":
        band, before = BANDS.get(entry.what, entry.what), BANDS.get(details["before"], details["before"])
        return f"Score now in {band.lower()}, was {before.lower()}", f"{shown(details['score'])} points"
    return _CHANGES.get(entry.what, readable(entry.what.replace(".", " "))), _change(details)


def _decision(entry: Entry) -> tuple[str, str]:
    details = entry.details
    if entry.what == "skip":
        return _DECISIONS["skip"], reason_meaning(details["reason"])
    asked = f", asked for by {details['requested_by']}" if details.get("requested_by") else ""
    return _DECISIONS.get(
        entry.what, readable(entry.what)
    ), f"{_campaign(details)}, score {shown(details['score'])}{asked}"


def _campaign(details: Mapping[str, Any]) -> str:
    variant = f", {details['variant']}" if details.get("variant") else ""
    return f"{details['campaign']}, step {details['step']}{variant}"


def _event(event: EventRow) -> str:
    return _reported({"source": event.source, **event.detail})


def _reported(details: Mapping[str, Any]) -> str:
    told = [f"reported by {readable(details['source']).lower()}"]
    told.extend(str(details[name]) for name in ("note", "url") if details.get(name))
    return ", ".join(told)


def _change(details: Mapping[str, Any]) -> str:
    names: Sequence[str] = details.get("fields", ())
    by = f"by {details['actor']}"
    return f"{by}: {', '.join(names)}" if names else by
