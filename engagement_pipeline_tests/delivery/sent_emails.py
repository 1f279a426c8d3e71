"""Ledger rows of e-mails that were sent, and what came back, for tests that count them."""

from collections.abc import Iterable
from datetime import datetime
from itertools import count

import sqlalchemy as sa

from engagement_pipeline.delivery.events import Kind
from engagement_pipeline.delivery.statuses import Status
from engagement_pipeline.delivery.tables import email_events, emails
from engagement_pipeline.platform.sql import Database

_NUMBERS = count()


def add_sent(
    database: Database, number: int, sent_at: datetime | None, status: Status = "sent", provider: str = "ses"
) -> list[str]:
    """Add so many rows; return their ids."""
    ids = [f"{next(_NUMBERS):032x}" for _ in range(number)]
    rows = [
        {
            "email_id": email_id,
            "user_id": f"user-{email_id}",
            "address_key": email_id * 2,
            "campaign": "win-back",
            "step": 1,
            "status": status,
            "score": 30.0,
            "band": "at_risk",
            "value_at_risk": 1.0,
            "attempts": 1,
            "provider": provider,
            "decided_at": sent_at or datetime.fromisoformat("2026-01-01T00:00+00:00"),
            "created_at": sent_at or datetime.fromisoformat("2026-01-01T00:00+00:00"),
            "sent_at": sent_at,
            "updated_at": sent_at or datetime.fromisoformat("2026-01-01T00:00+00:00"),
        }
        for email_id in ids
    ]
    if rows:
        with database.write() as connection:
            connection.execute(sa.insert(emails), rows)
    return ids


def add_events(database: Database, email_ids: Iterable[str], kind: Kind, at: datetime) -> None:
    """Add an event of one kind to each e-mail, as it was reported."""
    rows = [
        {
            "event_id": f"{kind}-{email_id}",
            "email_id": email_id,
            "kind": kind,
            "source": "ses",
            "occurred_at": at,
            "received_at": at,
            "original": "{}",
        }
        for email_id in email_ids
    ]
    with database.write() as connection:
        connection.execute(sa.insert(email_events), rows)
