"""The intake's SQL: events as they are stored."""

from collections.abc import Collection
from typing import Any, Final

import sqlalchemy as sa

from engagement_pipeline.delivery import statuses
from engagement_pipeline.delivery.events import STATUS_OF
from engagement_pipeline.delivery.feedback.soft_bounces import TELLING
from engagement_pipeline.delivery.statements import is_one_of
from engagement_pipeline.delivery.tables import email_events, emails

_EMAILED_KINDS: Final = sorted(kind for kind, status in STATUS_OF.items() if status in statuses.EMAILED)


def known(event_ids: Collection[str]) -> sa.Select[Any]:
    """Select those of the given events that are stored."""
    return sa.select(email_events.c.event_id).where(email_events.c.event_id.in_(event_ids))


def named(provider_message_ids: Collection[str]) -> sa.Select[Any]:
    """Select (provider's id, our id) as events say that carry both."""
    return sa.select(email_events.c.provider_message_id, email_events.c.email_id).where(
        email_events.c.provider_message_id.in_(provider_message_ids), email_events.c.email_id.is_not(None)
    )


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


def moments(email_ids: Collection[str]) -> sa.Select[Any]:
    """Select each moment at which an event says of one of the e-mails that it was on its way."""
    return sa.select(email_events.c.email_id, email_events.c.occurred_at).where(
        email_events.c.email_id.in_(email_ids), is_one_of(email_events.c.kind, _EMAILED_KINDS)
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


def page(after: str, count: int) -> sa.Select[Any]:
    """Select the ids of the ledger's next rows, in their order."""
    return sa.select(emails.c.email_id).where(emails.c.email_id > after).order_by(emails.c.email_id).limit(count)


def kinds(email_ids: Collection[str]) -> sa.Select[Any]:
    """Select what is known to have happened to each of the e-mails."""
    return (
        sa.select(email_events.c.email_id, email_events.c.kind).where(email_events.c.email_id.in_(email_ids)).distinct()
    )
