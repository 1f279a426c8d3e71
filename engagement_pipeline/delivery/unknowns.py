"""E-mails of which nobody can tell whether they were sent, for a person to look into."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import sqlalchemy as sa

from engagement_pipeline.delivery.events import Event, Kind
from engagement_pipeline.delivery.statements import EXPIRED
from engagement_pipeline.delivery.stores import Stores
from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.platform import change_log
from engagement_pipeline.platform.audit import AuditEntry

Became = Literal["sent", "failed"]

# Those that have expired stay unknown, but nobody is asked about them any more.
_OPEN = sa.and_(emails.c.status == "unknown", emails.c.reason.is_distinct_from(EXPIRED))

_KIND: Final[dict[Became, Kind]] = {"sent": "send", "failed": "reject"}


@dataclass(frozen=True)
class Unknown:
    """One such e-mail: `sent_at` is when it was handed over, `reason` why nobody can tell."""

    email_id: str
    sent_at: datetime
    campaign: str
    provider: str
    reason: str | None


@dataclass(frozen=True)
class Unknowns:
    """How many there are, and since when the oldest waits to be resolved."""

    number: int
    oldest: datetime | None


def list_unknown(connection: sa.Connection, limit: int) -> list[Unknown]:
    """Return those that are still to be resolved, the oldest first."""
    columns = [emails.c[name] for name in ("email_id", "sent_at", "campaign", "provider", "reason")]
    query = sa.select(*columns).where(_OPEN).order_by(emails.c.sent_at, emails.c.email_id).limit(limit)
    return [Unknown(**row._mapping) for row in connection.execute(query)]


def count_unknown(connection: sa.Connection) -> Unknowns:
    """Count those that are still to be resolved."""
    row = connection.execute(sa.select(sa.func.count(), sa.func.min(emails.c.sent_at)).where(_OPEN)).one()
    return Unknowns(row[0], row[1])


def resolve(
    stores: Stores, email_id: str, became: Became, note: str, now: datetime, audit: AuditEntry | None = None
) -> bool:
    """Take a person's word for what became of an unknown e-mail; tell whether it was unknown.

    The word is an event like the provider's: it is kept, counts when statuses are rebuilt, and gives way to a graver
    one. An e-mail that has expired can still be resolved.

    Args:
        stores: the ledger and what goes with it.
        email_id: our id.
        became: what became of it.
        note: how the person knows; without an address or name.
        now: the moment of the decision.
        audit: of who says so.
    """
    with stores.database.write() as connection:
        change_log.lock(connection)
        row = stores.ledger.get_emails([email_id]).get(email_id)
        if row is None or row.status != "unknown":
            return False
        event = Event(
            event_id=f"person-{email_id}",
            kind=_KIND[became],
            email_id=email_id,
            provider_message_id=row.provider_message_id,
            address_key=None,
            occurred_at=now,
            source="person",
            original=json.dumps({"became": became, "note": note}),
        )
        stores.feedback.take([event], now, audit)
        return True
