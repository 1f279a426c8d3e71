"""The ledger's steps inside a transaction that the caller holds; each keeps rows, users and the change log in line.

Per message only its own row changes, so that many senders need not wait for one another; what follows from it for users
and the change log is written for a batch of rows at once, under the change log's lock.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import sqlalchemy as sa

from engagement_pipeline.delivery import statements, statuses
from engagement_pipeline.delivery.entries import NewEmail, Outcome, Ticket
from engagement_pipeline.delivery.statuses import Status
from engagement_pipeline.delivery.tables import email_events, emails
from engagement_pipeline.platform import change_log
from engagement_pipeline.platform.change_log import Change
from engagement_pipeline.platform.sql import LeanTransaction, insert_or_ignore
from engagement_pipeline.users.derived import chunks
from engagement_pipeline.users.store import Touches, record_touches

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


def mark(lean: LeanTransaction, worker: str, ticket: Ticket, now: datetime, lease_for: timedelta) -> bool:
    """Mark a claimed row `sending` if all that the gate has seen still holds.

    The change log hears of the outcome only: until then nothing has happened that anybody could act on.
    """
    marked = lean.execute(
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
            "p_today": now.astimezone(timezone.utc).date(),
            "p_now": now,
        },
    )
    return marked == 1


def lock_for_sending(lean: LeanTransaction, address_key: str) -> None:
    """Wait for whoever sends to this address or rejects what is said; on SQLite all writers wait anyway."""
    if not lean.is_sqlite:
        lean.execute(statements.LOCK_FOR_SENDING, {"p_address_key": address_key})


def record(lean: LeanTransaction, worker: str, outcome: Outcome, now: datetime) -> bool:
    """Record what became of a message, unless the row has moved on without us; tell whether it was recorded.

    A closed row stays with its worker until `settle`: what follows from it is written for many rows at once.
    """
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
    return lean.execute(statements.OUTCOME[outcome.status], values) == 1


def settle(connection: sa.Connection, worker: str, delivers: str | None, now: datetime) -> Sequence[sa.Row[Any]]:
    """Bring users, events and the change log in line with the rows that a worker has closed; return these.

    Args:
        connection: a writing transaction that holds the change log's lock.
        worker: whose closed rows; they are given back with this.
        delivers: the provider for whom taking a message is delivering it, or None.
        now: the moment of the change.
    """
    rows = connection.execute(statements.SETTLE, {"p_worker": worker}).all()
    if not rows:
        return rows
    touch_users(connection, [row.user_id for row in rows], now)
    delivered = [row for row in rows if row.status == "delivered" and row.provider == delivers]
    changes = [Change("email", row.email_id, row.user_id, "updated") for row in rows]
    change_log.append(connection, changes + record_deliveries(connection, delivered, now), now)
    return rows


def close_rejected(connection: sa.Connection, campaign: str, count: int, now: datetime) -> int:
    """Close up to `count` waiting rows whose words were rejected; return how many. Needs the change log's lock."""
    rows = connection.execute(statements.close_rejected(campaign, count, now)).all()
    if rows:
        touch_users(connection, [row.user_id for row in rows], now)
        change_log.append(connection, [Change("email", row.email_id, row.user_id, "updated") for row in rows], now)
    return len(rows)


def touch_users(connection: sa.Connection, user_ids: Sequence[str], now: datetime) -> None:
    """Bring users' steps and touches in line with their closed rows."""
    by_user: dict[str, list[sa.Row[Any]]] = {user_id: [] for user_id in user_ids}
    for chunk in chunks(by_user):
        for row in connection.execute(statements.CLOSED_ROWS, {"p_user_ids": chunk}):
            by_user[row.user_id].append(row)
    record_touches(connection, [_touches(user_id, closed) for user_id, closed in by_user.items()], now)


def _touches(user_id: str, closed: Sequence[sa.Row[Any]]) -> Touches:
    touched_at = [row.touched_at for row in closed if row.status in statuses.TOUCHES]
    mailed_at = [row.touched_at for row in closed if row.status in statuses.EMAILED]
    return Touches(user_id, touched_at, max(mailed_at, default=None), len(closed))


def record_deliveries(connection: sa.Connection, delivered: Sequence[Any], now: datetime) -> list[Change]:
    """Record the events of messages that were delivered by being taken; return what the change log has to hear.

    Args:
        connection: a writing transaction.
        delivered: their rows, of whatever store.
        now: the moment of the change.
    """
    rows = [
        {
            "event_id": f"{row.provider}-{row.email_id}-delivery",
            "email_id": row.email_id,
            "kind": "delivery",
            "source": row.provider,
            "occurred_at": row.sent_at,
            "received_at": now,
            "original": "{}",
            "provider_message_id": None,
            "address_key": row.address_key,
        }
        for row in delivered
    ]
    insert_or_ignore(connection, email_events, rows)
    return [Change("event", f"{row.provider}-{row.email_id}-delivery", row.user_id, "created") for row in delivered]


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
        "provenance": email.provenance,
        "edition": email.edition,
        "requested_by": email.requested_by,
        "overrides": None if email.overrides is None else list(email.overrides),
        "last_day": email.last_day,
        "attempts": 0,
        "decided_at": email.decided_at,
        "created_at": now,
        "updated_at": now,
    }
