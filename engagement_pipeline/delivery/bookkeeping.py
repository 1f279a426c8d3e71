"""The ledger's steps inside a transaction that the caller holds; each keeps rows, users and the change log in line.

The caller holds the change log's lock too. It makes writers wait for one another, as SQLite always does: that is what
keeps two senders from each missing the other's mark, and PostgreSQL from deadlocks.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import sqlalchemy as sa

from engagement_pipeline.delivery import statements, statuses
from engagement_pipeline.delivery.entries import NewEmail, Outcome, Ticket
from engagement_pipeline.delivery.statuses import Status
from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.platform import change_log
from engagement_pipeline.platform.change_log import Change
from engagement_pipeline.platform.sql import insert_or_ignore
from engagement_pipeline.users.store import record_touches

_NEVER = datetime(1970, 1, 1, tzinfo=timezone.utc)


def insert(connection: sa.Connection, new: Sequence[NewEmail], status: Status, now: datetime) -> list[NewEmail]:
    """Insert rows for those decisions that have none yet, and return these."""
    known = set(
        connection.execute(
            sa.select(emails.c.email_id).where(emails.c.email_id.in_([email.email_id for email in new]))
        ).scalars()
    )
    created = [email for email in new if email.email_id not in known]
    insert_or_ignore(connection, emails, [_row(email, status, now) for email in created])
    change_log.append(connection, [Change("email", email.email_id, email.user_id, "created") for email in created], now)
    return created


def mark(connection: sa.Connection, worker: str, ticket: Ticket, now: datetime, lease_for: timedelta) -> bool:
    """Mark a claimed row `sending` if all that the gate has seen still holds.

    The change log hears of the outcome only: until then nothing has happened that anybody could act on.
    """
    marked = connection.execute(
        statements.MARK_SENDING,
        {
            "p_email_id": ticket.email_id,
            "p_worker": worker,
            "p_user_id": ticket.user_id,
            "p_user_version": ticket.user_version,
            "p_address_key": ticket.address_key,
            "p_touched_at": ticket.address_touched_at or _NEVER,
            "p_provider": ticket.provider,
            "p_until": now + lease_for,
            "p_now": now,
        },
    )
    return marked.rowcount == 1


def record(connection: sa.Connection, worker: str, outcome: Outcome, now: datetime) -> bool:
    """Record what became of a message, unless the row has moved on without us; tell whether it was recorded."""
    values = {
        "p_email_id": outcome.email_id,
        "p_worker": worker,
        "p_reason": outcome.reason,
        "p_attempts": outcome.attempts,
        "p_not_before": outcome.not_before,
        "p_now": now,
    }
    if outcome.status in statuses.EMAILED:
        values["p_message_id"] = outcome.provider_message_id
    if connection.execute(statements.OUTCOME[outcome.status], values).rowcount == 0:
        return False
    changes = [Change("email", outcome.email_id, outcome.user_id, "updated")]
    if outcome.status == "delivered":
        changes += _deliver(connection, outcome, now)
    if outcome.status in statuses.CLOSED:
        closed = connection.execute(statements.CLOSED_ROWS_OF_ONE, {"p_user_id": outcome.user_id}).all()
        _touch(connection, outcome.user_id, closed, now)
    change_log.append(connection, changes, now)
    return True


def skip(connection: sa.Connection, worker: str, reasons: Mapping[str, str], now: datetime) -> int:
    """Close claimed rows with a reason each; return how many were still ours to close."""
    owners = sa.select(emails.c.email_id, emails.c.user_id).where(emails.c.email_id.in_(reasons))
    rows = connection.execute(owners).all()
    return sum(
        record(
            connection, worker, Outcome(row.email_id, row.user_id, "skipped", reasons[row.email_id], attempts=0), now
        )
        for row in rows
    )


def touch_users(connection: sa.Connection, user_ids: Sequence[str], now: datetime) -> None:
    """Bring users' steps and touches in line with their closed rows."""
    by_user = defaultdict(list)
    for row in connection.execute(statements.CLOSED_ROWS_OF_MANY, {"p_user_ids": user_ids}):
        by_user[row.user_id].append(row)
    for user_id, closed in by_user.items():
        _touch(connection, user_id, closed, now)


def _touch(connection: sa.Connection, user_id: str, closed: Sequence[sa.Row[Any]], now: datetime) -> None:
    touches = [row.touched_at for row in closed if row.status in statuses.TOUCHES]
    mailed = [row.touched_at for row in closed if row.status in statuses.EMAILED]
    record_touches(connection, user_id, touches, max(mailed, default=None), len(closed), now)


def _deliver(connection: sa.Connection, outcome: Outcome, now: datetime) -> list[Change]:
    event_id = f"{outcome.provider}-{outcome.email_id}-delivery"
    row = {
        "event_id": event_id,
        "email_id": outcome.email_id,
        "kind": "delivery",
        "source": outcome.provider,
        "occurred_at": now,
        "received_at": now,
        "original": "{}",
    }
    connection.execute(statements.ADD_EVENT, row)
    return [Change("event", event_id, outcome.user_id, "created")]


def _row(email: NewEmail, status: Status, now: datetime) -> dict[str, object]:
    return {
        "email_id": email.email_id,
        "user_id": email.user_id,
        "address_key": email.address_key,
        "campaign": email.campaign,
        "step": email.step,
        "status": status,
        "score": email.score,
        "band": email.band,
        "value_at_risk": email.value_at_risk,
        "variant": email.variant,
        "copy": email.copy,
        "copywriter": email.copywriter,
        "attempts": 0,
        "decided_at": email.decided_at,
        "created_at": now,
        "updated_at": now,
    }
