"""The intake's SQL. A change of status names, in its own predicate, the statuses that it may come from."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.sql.dml import ReturningUpdate

from engagement_pipeline.delivery import statuses
from engagement_pipeline.delivery.events import STATUS_OF
from engagement_pipeline.delivery.feedback.soft_bounces import TELLING
from engagement_pipeline.delivery.statements import is_one_of
from engagement_pipeline.delivery.statuses import Status
from engagement_pipeline.delivery.tables import email_events, emails, suppressions
from engagement_pipeline.platform.sql import UtcDateTime
from engagement_pipeline.users.tables import users

_EMAILED_KINDS: Final = sorted(kind for kind, status in STATUS_OF.items() if status in statuses.EMAILED)

_ROW: Final = (emails.c.email_id, emails.c.user_id, emails.c.address_key, emails.c.provider_message_id)


def known(event_ids: Collection[str]) -> sa.Select[Any]:
    """Select those of the given events that are stored."""
    return sa.select(email_events.c.event_id).where(email_events.c.event_id.in_(event_ids))


def rows(email_ids: Collection[str]) -> sa.Select[Any]:
    """Select ledger rows by their id."""
    return sa.select(*_ROW).where(emails.c.email_id.in_(email_ids))


def named(provider_message_ids: Collection[str]) -> sa.CompoundSelect[Any]:
    """Select (provider's id, our id) as the ledger has them, or as other events say that carry both."""
    in_ledger = sa.select(emails.c.provider_message_id, emails.c.email_id).where(
        emails.c.provider_message_id.in_(provider_message_ids)
    )
    in_events = sa.select(email_events.c.provider_message_id, email_events.c.email_id).where(
        email_events.c.provider_message_id.in_(provider_message_ids), email_events.c.email_id.is_not(None)
    )
    return in_ledger.union(in_events)


def unmatched(provider_message_ids: Collection[str]) -> sa.Select[Any]:
    """Select stored events that nobody could match so far."""
    return sa.select(email_events).where(
        email_events.c.provider_message_id.in_(provider_message_ids), email_events.c.email_id.is_(None)
    )


MATCH: Final = (
    sa.update(email_events)
    .where(email_events.c.event_id == sa.bindparam("p_event_id"))
    .values(email_id=sa.bindparam("p_email_id"), address_key=sa.bindparam("p_address_key"))
)

NOTE_PROVIDERS_ID: Final = (
    sa.update(emails)
    .where(emails.c.email_id == sa.bindparam("p_email_id"), emails.c.provider_message_id.is_(None))
    .values(provider_message_id=sa.bindparam("p_message_id"))
)


def move(email_ids: Collection[str], status: Status, now: datetime) -> ReturningUpdate[Any]:
    """Move those of the rows that may go there. A claim stays: its holder learns by itself that the row has moved."""
    return (
        sa.update(emails)
        .where(emails.c.email_id.in_(email_ids), is_one_of(emails.c.status, statuses.may_become(status)))
        .values(status=status, updated_at=now)
        .returning(emails.c.email_id, emails.c.user_id)
    )


def moments(email_ids: Collection[str]) -> sa.Select[Any]:
    """Select when the given rows were sent, by the ledger, beside each moment at which an event says that they were."""
    said = sa.and_(email_events.c.email_id == emails.c.email_id, is_one_of(email_events.c.kind, _EMAILED_KINDS))
    return (
        sa.select(emails.c.email_id, emails.c.user_id, emails.c.status, emails.c.sent_at, email_events.c.occurred_at)
        .select_from(emails.join(email_events, said))
        .where(emails.c.email_id.in_(email_ids), ~is_one_of(emails.c.status, {"draft", "held_out"}))
    )


SET_SENT_AT: Final = (
    sa.update(emails)
    .where(emails.c.email_id == sa.bindparam("p_email_id"))
    .where(emails.c.sent_at.is_not_distinct_from(sa.bindparam("p_seen", type_=UtcDateTime)))
    .values(sent_at=sa.bindparam("p_sent_at", type_=UtcDateTime), updated_at=sa.bindparam("p_now", type_=UtcDateTime))
)


def history(address_keys: Collection[str]) -> sa.CompoundSelect[Any]:
    """Select what tells whether soft bounces have become a habit: of whom events name, and of whom we wrote to."""
    event = email_events.c
    email = sa.func.coalesce(event.email_id, event.provider_message_id, event.event_id)

    def told(key: sa.Column[str]) -> sa.Select[Any]:
        columns = (key, event.occurred_at, event.event_id, event.kind, email.label("email"))
        return sa.select(*columns).where(key.in_(address_keys), is_one_of(event.kind, TELLING))

    own = told(emails.c.address_key).where(event.email_id == emails.c.email_id)
    return told(event.address_key).union(own)


def present_addresses(email_ids: Collection[str]) -> sa.Select[Any]:
    """Select, per e-mail, the address that its user has now, where there still is one."""
    return (
        sa.select(emails.c.email_id, users.c.address_key)
        .join(users, users.c.user_id == emails.c.user_id)
        .where(emails.c.email_id.in_(email_ids), users.c.address_key.is_not(None))
    )


def reasons(address_keys: Collection[str]) -> sa.Select[Any]:
    """Select why the given addresses are suppressed."""
    return sa.select(suppressions.c.address_key, suppressions.c.reason).where(
        suppressions.c.address_key.in_(address_keys)
    )


def worsen(address_key: str, reason: str, source: str, milder: Collection[str]) -> sa.Update:
    """Give an address the graver of two reasons."""
    return (
        sa.update(suppressions)
        .where(suppressions.c.address_key == address_key, is_one_of(suppressions.c.reason, milder))
        .values(reason=reason, source=source)
    )


def lift(address_key: str, reason: str, source: str) -> sa.Delete:
    """Take an address off the list, if it is there for this reason by this source."""
    listed = sa.and_(suppressions.c.reason == reason, suppressions.c.source == source)
    return sa.delete(suppressions).where(suppressions.c.address_key == address_key, listed)


def page(after: str, count: int) -> sa.Select[Any]:
    """Select the ledger's next rows in the order of their ids, as far as a replay needs them."""
    columns = (
        emails.c.email_id,
        emails.c.user_id,
        emails.c.status,
        emails.c.sent_at,
        emails.c.reason,
        emails.c.claimed_by,
    )
    return sa.select(*columns).where(emails.c.email_id > after).order_by(emails.c.email_id).limit(count)


def kinds(email_ids: Collection[str]) -> sa.Select[Any]:
    """Select what is known to have happened to each of the e-mails."""
    return (
        sa.select(email_events.c.email_id, email_events.c.kind).where(email_events.c.email_id.in_(email_ids)).distinct()
    )


def correct(row: sa.Row[Any], status: Status, now: datetime) -> sa.Update:
    """Give a row another status, forward or not, unless somebody has moved it since it was read."""
    return (
        sa.update(emails)
        .where(emails.c.email_id == row.email_id, emails.c.status == row.status)
        .where(emails.c.sent_at.is_not_distinct_from(row.sent_at))
        .values(status=status, updated_at=now)
    )
