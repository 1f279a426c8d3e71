"""E-mails of the ledger as lists and one by one, with what was reported of them, and as their recipient sees them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from pydantic import ValidationError

from engagement_pipeline.copywriting import keeping
from engagement_pipeline.copywriting.copy import Copy, fill
from engagement_pipeline.copywriting.keeping import Kept
from engagement_pipeline.copywriting.render import Recipient, RenderedEmail, Renderer
from engagement_pipeline.delivery.statuses import Status
from engagement_pipeline.delivery.tables import email_events, emails
from engagement_pipeline.delivery.tracking import links_for
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.web.queries.cursors import Position
from engagement_pipeline.web.queries.paging import Segment, read_page

_email = emails.c


@dataclass(frozen=True)
class EmailFilters:
    """Which e-mails, the newest first.

    Attributes:
        status: only of this status.
        campaign: only of this campaign.
        variant: only of this variant.
        created_from: only written at this moment or later.
        created_to: only written before this moment.
        user_id: only to this user.
    """

    status: Status | None = None
    campaign: str | None = None
    variant: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    user_id: str | None = None


@dataclass(frozen=True)
class EmailRow:
    """An e-mail in a list; `subject` without a name in it, None for the hold-out."""

    email_id: str
    user_id: str
    campaign: str
    step: int
    status: Status
    reason: str | None
    score: float
    band: str
    value_at_risk: float
    variant: str | None
    subject: str | None
    copywriter: str | None
    edition: str | None
    requested_by: str | None
    decided_at: datetime
    created_at: datetime
    sent_at: datetime | None
    updated_at: datetime


@dataclass(frozen=True)
class EmailPage:
    """A page of e-mails, and where the next one begins; None behind the last."""

    emails: list[EmailRow]
    following: Position | None


@dataclass(frozen=True)
class EventRow:
    """One thing that was reported of an e-mail; `detail` is as much of the report as names nobody."""

    event_id: str
    kind: str
    source: str
    occurred_at: datetime
    received_at: datetime
    detail: Mapping[str, str]


@dataclass(frozen=True)
class EmailDetail:
    """Everything about an e-mail.

    Attributes:
        row: as in a list.
        copy: what it says, with placeholders; None for the hold-out.
        kept: the brief, and where a model was paid for the copy.
        attempts: how often it was handed over.
        not_before: waits for this moment.
        provider: who delivers or delivered it.
        provider_message_id: its name there.
        overrides: reasons of the gate that a person has set aside.
        recipient: the user's name; None without one, or once the user is gone.
        events: what was reported, the oldest first.
    """

    row: EmailRow
    copy: Mapping[str, Any] | None
    kept: Kept
    attempts: int
    not_before: datetime | None
    provider: str | None
    provider_message_id: str | None
    overrides: list[str] | None
    recipient: str | None
    events: list[EventRow]


_COLUMNS: Final = (
    *(_email[each.name] for each in fields(EmailRow) if each.name != "subject"),
    _email.copy["subject"].as_string().label("subject"),
)


def list_emails(
    connection: sa.Connection, filters: EmailFilters, limit: int, after: Position | None = None
) -> EmailPage:
    """Return a page of e-mails.

    Args:
        connection: reads.
        filters: which.
        limit: most e-mails of the page; where few match what no index knows, there may be fewer and a next page.
        after: where the page before ended.
    """
    rows = read_page(connection, [_segment(filters)], limit, after)
    return EmailPage([_row(row._asdict()) for row in rows.rows], rows.following)


def email_detail(pipeline: Pipeline, email_id: str) -> EmailDetail | None:
    """Return what is known of an e-mail, or None."""
    stored = pipeline.ledger.get_emails([email_id]).get(email_id)
    if stored is None:
        return None
    user = pipeline.store.get_user(stored.user_id)
    further = ("copy", "attempts", "not_before", "provider", "provider_message_id", "overrides")
    with pipeline.database.read() as connection:
        events = events_of(connection, email_id)
    subject = None if stored.copy is None else stored.copy.get("subject")
    return EmailDetail(
        row=_row({**vars(stored), "subject": subject}),
        kept=keeping.read(stored.provenance),
        recipient=None if user is None else user.name,
        events=events,
        **{name: getattr(stored, name) for name in further},
    )


def events_of(connection: sa.Connection, email_id: str) -> list[EventRow]:
    """Return what was reported of an e-mail, the oldest first."""
    query = sa.select(email_events).where(email_events.c.email_id == email_id)
    rows = connection.execute(query.order_by(email_events.c.occurred_at, email_events.c.event_id))
    return [event_row(row) for row in rows]


def event_row(row: sa.Row[Any]) -> EventRow:
    """Read a row of `email_events`."""
    return EventRow(row.event_id, row.kind, row.source, row.occurred_at, row.received_at, _detail(row.original))


def render(pipeline: Pipeline, detail: EmailDetail) -> RenderedEmail | None:
    """Return an e-mail as its recipient sees it; looking at it counts nowhere. None without a copy that can be shown.

    The link to unsubscribe is the real one.
    """
    if detail.copy is None:
        return None
    try:
        copy = Copy.model_validate(detail.copy)
    except ValidationError:
        return None
    links = links_for(
        detail.row.email_id,
        pipeline.brand.site_url,
        pipeline.settings.delivery.public_url,
        pipeline.secret_key,
        tracking=False,
    )
    return Renderer(pipeline.brand).render(copy, Recipient(detail.recipient), links)


def _segment(filters: EmailFilters) -> Segment:
    query = sa.select(*_COLUMNS)
    if filters.created_from is not None:
        query = query.where(_email.created_at >= filters.created_from)
    if filters.created_to is not None:
        query = query.where(_email.created_at < filters.created_to)
    if filters.user_id is not None:
        query = query.where(_email.user_id == filters.user_id)
    # A user has few e-mails: all the rest is looked for among them.
    indexed = filters.user_id is None
    if filters.status is not None and indexed:
        query = query.where(_email.status == filters.status)
    others = {"campaign": filters.campaign, "variant": filters.variant}
    if not indexed:
        others["status"] = filters.status
    return Segment(
        query,
        (_email.created_at, _email.email_id),
        descending=True,
        filters=tuple(_email[name] == value for name, value in others.items() if value is not None),
    )


def _row(row: Mapping[str, Any]) -> EmailRow:
    values = {each.name: row[each.name] for each in fields(EmailRow)}
    values["subject"] = None if row["subject"] is None else fill(row["subject"], None)
    return EmailRow(**values)


# Of what is reported, these say something and name nobody.
_TOLD: Final = ("method", "user_agent", "purpose", "became", "note", "url")


def _detail(original: str) -> Mapping[str, str]:
    try:
        report = json.loads(original)
    except ValueError:
        return {}
    if not isinstance(report, dict):
        return {}
    return {name: report[name] for name in _TOLD if isinstance(report.get(name), str)}
