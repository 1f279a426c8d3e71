"""What happened to one user, in one list with the newest first: orders, decisions, e-mails, reports, bands, changes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timezone
from typing import Any, Final, Literal

import sqlalchemy as sa

from engagement_pipeline.delivery import statuses
from engagement_pipeline.delivery.tables import email_events, emails
from engagement_pipeline.platform.audit import audit_log
from engagement_pipeline.platform.settings_groups import ScoringSettings
from engagement_pipeline.scoring.curve import Point, crossings, score_curve
from engagement_pipeline.scoring.formula import Population
from engagement_pipeline.users.aggregates import CountedOrder
from engagement_pipeline.users.models import COUNTED
from engagement_pipeline.users.rows import StoredUser
from engagement_pipeline.users.tables import orders
from engagement_pipeline.web.queries.cursors import Position
from engagement_pipeline.web.queries.emails import event_row

Kind = Literal["order", "decision", "email", "event", "band", "change"]

_OF_EMAILS: Final = (
    *("email_id", "campaign", "step", "status", "reason", "score", "band", "variant", "decided_at", "sent_at"),
    *("updated_at", "requested_by", "overrides"),
)

# Nobody gets so many e-mails, or has so many changes, that more would have to be looked at; orders are paged.
_MOST: Final = 500


@dataclass(frozen=True)
class Entry:
    """One thing that happened.

    Attributes:
        at: when; a change of band at the end of its day.
        kind: `decision` is the gate's word, `email` that it was handed over, `event` what was reported of it, `band`
            that the score came into another band, `change` what a person or program did to the record.
        entry_id: tells it from all others of its kind.
        what: a code: an order's or event's status, the decision, the action.
        order_id: the order concerned.
        email_id: the e-mail concerned.
        details: figures and codes.
    """

    at: datetime
    kind: Kind
    entry_id: str
    what: str
    order_id: str | None
    email_id: str | None
    details: Mapping[str, Any]

    @property
    def place(self) -> tuple[datetime, str, str]:
        return self.at, self.kind, self.entry_id


@dataclass(frozen=True)
class Timeline:
    """A page of entries, and where the next one begins; None behind the last."""

    entries: list[Entry]
    following: Position | None


def timeline(
    connection: sa.Connection, user_id: str, points: Sequence[Point], limit: int, after: Position | None = None
) -> Timeline:
    """Return a page of what happened to a user.

    Args:
        connection: reads.
        user_id: whom it happened to.
        points: the user's `curve`; without any there are no changes of band.
        limit: most entries of the page.
        after: where the page before ended.
    """
    before = None if after is None else _place(after)
    found = [
        *_orders(connection, user_id, limit + 1, before),
        *_emails(connection, user_id),
        *_events(connection, user_id),
        *_bands(points),
        *_changes(connection, user_id),
    ]
    older = (entry for entry in found if before is None or entry.place < before)
    entries = sorted(older, key=lambda entry: entry.place, reverse=True)
    page = entries[:limit]
    return Timeline(page, Position(0, page[-1].place) if len(entries) > limit else None)


def curve(
    connection: sa.Connection, user: StoredUser, population: Population, settings: ScoringSettings, as_of: date
) -> list[Point]:
    """Return the user's score on each day of the past year."""
    counted = sa.select(orders.c.ordered_at, orders.c.total_value).where(
        orders.c.user_id == user.user_id, orders.c.status.in_([status.value for status in COUNTED])
    )
    emailed = sa.select(emails.c.sent_at).where(
        emails.c.user_id == user.user_id, emails.c.status.in_(statuses.EMAILED), emails.c.sent_at.is_not(None)
    )
    return score_curve(
        user,
        [CountedOrder(row.ordered_at, row.total_value) for row in connection.execute(counted)],
        connection.execute(emailed).scalars(),
        population,
        settings,
        as_of,
    )


def _orders(
    connection: sa.Connection, user_id: str, most: int, before: tuple[datetime, str, str] | None
) -> Iterator[Entry]:
    query = sa.select(orders).where(orders.c.user_id == user_id)
    if before is not None:
        # The first of several at this very moment may have been shown.
        query = query.where(orders.c.ordered_at <= before[0])
        most += _shown_at(connection, user_id, before[0])
    newest = query.order_by(orders.c.ordered_at.desc(), orders.c.order_id.desc()).limit(most)
    for row in connection.execute(newest):
        details = {"total_value": row.total_value, "item_count": row.item_count, "skus": row.skus or []}
        yield Entry(row.ordered_at, "order", row.order_id, row.status, row.order_id, None, details)


def _shown_at(connection: sa.Connection, user_id: str, moment: datetime) -> int:
    same = sa.select(sa.func.count()).where(orders.c.user_id == user_id, orders.c.ordered_at == moment)
    return connection.execute(same).scalar_one()


def _emails(connection: sa.Connection, user_id: str) -> Iterator[Entry]:
    query = sa.select(*(emails.c[name] for name in _OF_EMAILS)).where(emails.c.user_id == user_id)
    for row in connection.execute(query.order_by(emails.c.created_at.desc()).limit(_MOST)):
        common = {"campaign": row.campaign, "step": row.step, "variant": row.variant}
        decision = "hold_out" if row.status == "held_out" else "mail"
        asked = {"requested_by": row.requested_by, "overrides": row.overrides} if row.requested_by else {}
        judged = {**common, "score": row.score, "band": row.band, **asked}
        yield Entry(row.decided_at, "decision", row.email_id, decision, None, row.email_id, judged)
        if row.status == "skipped":
            yield _second(row, "skip", {**common, "reason": row.reason})
        elif row.sent_at is not None and row.status in statuses.EMAILED:
            yield Entry(row.sent_at, "email", row.email_id, row.status, None, row.email_id, common)
        elif row.status == "failed":
            failed = {**common, "reason": row.reason}
            yield Entry(row.updated_at, "email", row.email_id, "failed", None, row.email_id, failed)


def _second(row: sa.Row[Any], what: str, details: Mapping[str, Any]) -> Entry:
    """Return the gate's second word on an e-mail, at the moment of sending."""
    return Entry(row.updated_at, "decision", f"{row.email_id}:{what}", what, None, row.email_id, details)


def _events(connection: sa.Connection, user_id: str) -> Iterator[Entry]:
    query = (
        sa.select(email_events)
        .join(emails, emails.c.email_id == email_events.c.email_id)
        .where(emails.c.user_id == user_id)
    )
    for row in connection.execute(query.order_by(email_events.c.occurred_at.desc()).limit(_MOST)):
        event = event_row(row)
        details = {"source": event.source, **event.detail}
        yield Entry(event.occurred_at, "event", event.event_id, event.kind, None, row.email_id, details)


def _bands(points: Sequence[Point]) -> Iterator[Entry]:
    for each in crossings(points):
        at = datetime.combine(each.day, time.max, timezone.utc)
        details = {"score": each.score, "before": each.before}
        yield Entry(at, "band", each.day.isoformat(), each.after, None, None, details)


def _changes(connection: sa.Connection, user_id: str) -> Iterator[Entry]:
    query = sa.select(audit_log).where(audit_log.c.entity == "user", audit_log.c.entity_id == user_id)
    for row in connection.execute(query.order_by(audit_log.c.audit_id.desc()).limit(_MOST)):
        details = {"actor": row.actor, **row.details}
        yield Entry(row.happened_at, "change", str(row.audit_id), row.action, None, None, details)


def _place(after: Position) -> tuple[datetime, str, str]:
    at, kind, entry_id = after.keys
    assert isinstance(at, datetime)  # noqa: S101 - what we wrote ourselves
    return at, str(kind), str(entry_id)
