"""Events and a ledger that waits for them, for the tests of this room."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from engagement_pipeline.delivery import bookkeeping
from engagement_pipeline.delivery.entries import NewEmail
from engagement_pipeline.delivery.events import Event, Kind
from engagement_pipeline.delivery.feedback.intake import Intake
from engagement_pipeline.delivery.tables import email_events, emails, suppressions
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.addresses import address_key
from engagement_pipeline.users.store import SqlUserStore
from engagement_pipeline.users.tables import users
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import CAMPAIGN, SECRET, silent_user
from engagement_pipeline_tests.delivery.sql_stores import sql_stores

SOFT_BOUNCES = 3
LATER = NOW + timedelta(days=1)


# Where a sender may have left a row when events come, and what it had written by then.
BASES: dict[str, dict[str, Any]] = {
    "draft": {},
    "held_out": {},
    "queued": {},
    "skipped": {"reason": "suppressed"},
    "sending": {"sent_at": NOW, "claimed_by": "this-host:1:aaaa:1", "claimed_until": LATER},
    "sent": {"sent_at": NOW, "provider_message_id": "m5"},
    "unknown": {"sent_at": NOW, "reason": "sender_stopped"},
    "failed": {"reason": "550 no such user"},
}


def event(
    number: int,
    kind: Kind,
    email_id: str | None = None,
    *,
    message_id: str | None = None,
    address_key: str | None = None,
    minutes: int = 0,
    source: str = "ses",
) -> Event:
    return Event(
        event_id=f"event-{number:04}",
        kind=kind,
        email_id=email_id,
        provider_message_id=message_id,
        address_key=address_key,
        occurred_at=NOW + timedelta(minutes=minutes),
        source=source,
        original="{}",
    )


def add_emails(database: Database, count: int, domain: str = "example.com") -> list[str]:
    """Store users u0@…, u1@… with a draft each; return the e-mails' ids."""
    people = [silent_user(number, f"u{number}@{domain}") for number in range(count)]
    SqlUserStore(database, SECRET).put_users(people, NOW)
    new = [
        NewEmail(user.user_id, key(user.email or ""), CAMPAIGN, 1, 30.0, "at_risk", 9.0, NOW, copy={})
        for user in people
    ]
    with database.write() as connection:
        bookkeeping.insert(connection, new, "draft", NOW)
    return [email.email_id for email in new]


def key(email: str) -> str:
    return address_key(email, SECRET)


def set_row(database: Database, email_id: str, status: str, **values: Any) -> None:
    """Put a row where a sender would have brought it."""
    with database.write() as connection:
        connection.execute(sa.update(emails).where(emails.c.email_id == email_id).values(status=status, **values))


def put_back(database: Database, email_ids: Sequence[str]) -> None:
    """Bring each row to one of the bases, as if no event had come."""
    blank = dict.fromkeys(("sent_at", "reason", "provider_message_id", "claimed_by", "claimed_until"))
    for email_id, (base, values) in zip(email_ids, BASES.items(), strict=False):
        set_row(database, email_id, base, **{**blank, **values})
    with database.write() as connection:
        bookkeeping.touch_users(connection, connection.execute(sa.select(emails.c.user_id)).scalars().all(), NOW)


def take(database: Database, events: Sequence[Event], now: datetime = LATER) -> Intake:
    return sql_stores(database).feedback.take(events, now)


def take_in_batches(database: Database, events: Sequence[Event], rng: random.Random) -> None:
    """Take all events, some more than once, in any order and in transactions of any size."""
    queue = [*events, *rng.choices(list(events), k=len(events) // 2)]
    rng.shuffle(queue)
    feedback = sql_stores(database).feedback
    while queue:
        size = rng.randint(1, len(queue))
        feedback.take(queue[:size], LATER)
        del queue[:size]


def state(database: Database) -> dict[str, Any]:
    """Return what must not depend on how events came."""
    with database.read() as connection:
        rows = connection.execute(
            sa.select(emails.c.email_id, emails.c.status, emails.c.sent_at, emails.c.provider_message_id)
        )
        stored = connection.execute(
            sa.select(email_events.c.event_id, email_events.c.email_id, email_events.c.address_key)
        )
        listed = connection.execute(sa.select(suppressions.c.address_key, suppressions.c.reason))
        touched = connection.execute(
            sa.select(users.c.user_id, users.c.touched_at, users.c.last_email_at, users.c.steps)
        )
        return {
            "rows": {row.email_id: tuple(row)[1:] for row in rows},
            "events": {row.event_id: tuple(row)[1:] for row in stored},
            "suppressions": {row.address_key: row.reason for row in listed},
            "touches": {row.user_id: (tuple(row.touched_at), *tuple(row)[2:]) for row in touched},
        }


def suppressed(database: Database) -> dict[str, str]:
    found: dict[str, str] = state(database)["suppressions"]
    return found


def clear(database: Database) -> None:
    """Forget all events and what they have done to suppressions, for another go with the same ledger."""
    with database.write() as connection:
        connection.execute(sa.delete(email_events))
        connection.execute(sa.delete(suppressions))
