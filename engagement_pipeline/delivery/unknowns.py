"""E-mails of which nobody can tell whether they were sent, for a person to look into."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from engagement_pipeline.delivery.statements import EXPIRED
from engagement_pipeline.delivery.tables import emails

# Those that have expired stay unknown, but nobody is asked about them any more.
_OPEN = sa.and_(emails.c.status == "unknown", emails.c.reason.is_distinct_from(EXPIRED))


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
