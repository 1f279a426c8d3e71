"""The ledger's SQL. Every change of status names, in its own predicate, the statuses that it may come from."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.sql.dml import ReturningUpdate

from engagement_pipeline.copywriting.approvals import UNNAMED, Verdict
from engagement_pipeline.copywriting.tables import copy_approvals
from engagement_pipeline.delivery import statuses
from engagement_pipeline.delivery.entries import Entry
from engagement_pipeline.delivery.statuses import Status
from engagement_pipeline.delivery.tables import emails, suppressions
from engagement_pipeline.platform.sql import Prepared, UtcDateTime
from engagement_pipeline.users.tables import users

_ENTRY: Final = tuple(
    emails.c[name]
    for name in (
        "email_id",
        "user_id",
        "address_key",
        "campaign",
        "step",
        "score",
        "value_at_risk",
        "copy",
        "attempts",
        "decided_at",
        "overrides",
        "last_day",
    )
)


def is_one_of(column: sa.ColumnElement[Any], among: Iterable[str]) -> sa.ColumnElement[bool]:
    """Compare with our own words written out: a bound list would be expanded anew at every execution."""
    return column.in_([sa.literal_column(f"'{status}'") for status in sorted(among)])


EDITION: Final = sa.func.coalesce(emails.c.edition, sa.literal_column(f"'{UNNAMED}'"), type_=sa.String)


def _is_decided(verdict: Verdict) -> sa.ColumnElement[bool]:
    return sa.exists().where(
        copy_approvals.c.campaign == emails.c.campaign,
        copy_approvals.c.edition == EDITION,
        copy_approvals.c.verdict == sa.literal_column(f"'{verdict}'"),
    )


# Words that somebody has refused are never sent, whatever the settings say by now.
REJECTED: Final = _is_decided("rejected")


def may_be_sent(needs_approval: bool) -> sa.ColumnElement[bool]:
    """Select rows whose words may be sent: approved where somebody has to agree, and never rejected."""
    return _is_decided("approved") if needs_approval else ~REJECTED


def due(
    campaign: str, now: datetime, among: Iterable[Status], after: Entry | None, needs_approval: bool
) -> sa.Select[Any]:
    """Select rows that may be sent and whose time has come, the most valuable first; `after` continues behind one."""
    value = emails.c.value_at_risk
    query = (
        sa.select(*_ENTRY)
        .where(is_one_of(emails.c.status, among), emails.c.campaign == campaign)
        .where(may_be_sent(needs_approval))
        .where(sa.or_(emails.c.not_before.is_(None), emails.c.not_before <= now))
        .order_by(value.desc(), emails.c.email_id)
    )
    if after is None:
        return query
    # The first condition repeats what the second implies, in a form that an index can use.
    return query.where(value <= after.value_at_risk).where(
        sa.or_(value < after.value_at_risk, emails.c.email_id > after.email_id)
    )


def claim(rows: sa.Select[Any], worker: str, now: datetime, lease_for: timedelta) -> ReturningUpdate[Any]:
    """Claim those of the selected rows that nobody holds; PostgreSQL passes over rows that others are claiming."""
    free = sa.or_(emails.c.claimed_by.is_(None), emails.c.claimed_until < now)
    ids = rows.with_only_columns(emails.c.email_id).where(free).with_for_update(skip_locked=True)
    return (
        sa.update(emails)
        .where(emails.c.email_id.in_(ids))
        .values(claimed_by=worker, claimed_until=now + lease_for)
        .returning(*_ENTRY)
    )


def _mark_sending() -> sa.Update:
    other = emails.alias("other")
    key: sa.BindParameter[str] = sa.bindparam("p_address_key")
    seen_by_gate = sa.exists().where(
        users.c.user_id == sa.bindparam("p_user_id"), users.c.version == sa.bindparam("p_user_version")
    )
    suppressed = sa.exists().where(suppressions.c.address_key == key)
    # Whatever touched the address after the gate looked, it has not judged.
    touched_since = sa.exists().where(
        other.c.address_key == key,
        other.c.sent_at > sa.bindparam("p_touched_at", type_=UtcDateTime),
        is_one_of(other.c.status, statuses.HOLDS_ADDRESS),
        other.c.email_id != sa.bindparam("p_email_id"),
    )
    return (
        sa.update(emails)
        .where(emails.c.email_id == sa.bindparam("p_email_id"), emails.c.claimed_by == sa.bindparam("p_worker"))
        .where(is_one_of(emails.c.status, statuses.may_become("sending")))
        .where(seen_by_gate, ~suppressed, ~touched_since, ~REJECTED)
        # A turn may lie far ahead.
        .where(sa.or_(emails.c.last_day.is_(None), emails.c.last_day >= sa.bindparam("p_today", type_=sa.Date)))
        .values(
            status="sending",
            address_key=key,
            provider=sa.bindparam("p_provider"),
            not_before=None,
            claimed_until=sa.bindparam("p_until", type_=UtcDateTime),
            sent_at=sa.bindparam("p_now", type_=UtcDateTime),
            updated_at=sa.bindparam("p_now", type_=UtcDateTime),
        )
    )


MARK_SENDING: Final = Prepared(_mark_sending())

# Taken with others by who marks a row, and alone by who rejects an edition: whatever is marked is either in hand when
# the rejection stands, or has seen it.
_REJECTING: Final[sa.ColumnElement[int]] = sa.literal_column(str(0x656E68))

# The address last: whoever waits for it keeps nobody but the one who rejects from the first lock.
LOCK_FOR_SENDING: Final = Prepared(
    sa.select(
        sa.func.pg_advisory_xact_lock_shared(_REJECTING),
        sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(sa.bindparam("p_address_key", type_=sa.Text), 0)),
    )
)

LOCK_FOR_REJECTING: Final = sa.select(sa.func.pg_advisory_xact_lock(_REJECTING))


def _outcome(status: Status) -> sa.Update:
    values: dict[str, Any] = {
        "status": status,
        "reason": sa.bindparam("p_reason"),
        "attempts": emails.c.attempts + sa.bindparam("p_attempts"),
        "not_before": sa.bindparam("p_not_before", type_=UtcDateTime),
        "claimed_by": sa.bindparam("p_worker"),
        "updated_at": sa.bindparam("p_now", type_=UtcDateTime),
    }
    if status in statuses.EMAILED:
        values["provider_message_id"] = sa.func.coalesce(sa.bindparam("p_message_id"), emails.c.provider_message_id)
    else:
        values["sent_at"] = None
    if status == "queued":
        values |= {"claimed_by": None, "claimed_until": None}
    # A row that a successor has taken over is its to record, unless it was left as unknown: then our word resolves it.
    mine = sa.or_(emails.c.status == "unknown", emails.c.claimed_by == sa.bindparam("p_worker"))
    return (
        sa.update(emails)
        .where(emails.c.email_id == sa.bindparam("p_email_id"), mine)
        .where(is_one_of(emails.c.status, statuses.may_become(status) - {"draft"}))
        .values(values)
    )


OUTCOME: Final[dict[Status, Prepared]] = {
    status: Prepared(_outcome(status)) for status in ("queued", "sent", "delivered", "failed", "unknown", "skipped")
}


_TOUCHED_AT: Final = sa.case((emails.c.status == "held_out", emails.c.decided_at), else_=emails.c.sent_at)


# What users' steps and touches are derived from.
CLOSED_ROWS: Final = (
    sa.select(emails.c.user_id, emails.c.status, _TOUCHED_AT.label("touched_at"))
    .where(is_one_of(emails.c.status, statuses.CLOSED))
    .where(emails.c.user_id.in_(sa.bindparam("p_user_ids", expanding=True)))
)


def last_touches(address_keys: Sequence[str]) -> sa.Select[Any]:
    """Select, per address, the newest moment at which it was written to, is being written to, or was held out."""
    return (
        sa.select(emails.c.address_key, sa.func.max(_TOUCHED_AT, type_=UtcDateTime).label("touched_at"))
        .where(emails.c.address_key.in_(address_keys))
        .where(is_one_of(emails.c.status, statuses.HOLDS_ADDRESS | statuses.TOUCHES))
        .group_by(emails.c.address_key)
    )


IN_HAND: Final = sa.select(emails.c.email_id, emails.c.provider, emails.c.claimed_by, emails.c.claimed_until).where(
    emails.c.status == "sending"
)

# By whom rows are held, and since when at least one of them is free for others; none for one that was given up before
# its holder had the last word on it.
HOLDERS: Final = (
    sa.select(emails.c.claimed_by, sa.func.min(emails.c.claimed_until, type_=UtcDateTime).label("free_from"))
    .where(emails.c.claimed_by.is_not(None))
    .group_by(emails.c.claimed_by)
)

# Gives back in the same breath: a lane may close another row between a statement that reads and one that writes.
SETTLE: Final = (
    sa.update(emails)
    .where(emails.c.claimed_by == sa.bindparam("p_worker"), is_one_of(emails.c.status, statuses.CLOSED))
    .values(claimed_by=None, claimed_until=None)
    .returning(
        *(
            emails.c[name]
            for name in ("email_id", "user_id", "address_key", "status", "provider", "provider_message_id", "sent_at")
        )
    )
)

RELEASE: Final = (
    sa.update(emails)
    .where(emails.c.claimed_by == sa.bindparam("p_worker"), emails.c.status == "queued")
    .values(claimed_by=None, claimed_until=None)
)

# Nobody waits for a sender elsewhere whose time has run out: it may not mark them any more once others claim them.
RELEASE_LATE: Final = RELEASE.where(emails.c.claimed_until < sa.bindparam("p_now", type_=UtcDateTime))

POSTPONE: Final = RELEASE.where(emails.c.email_id == sa.bindparam("p_email_id")).values(
    not_before=sa.bindparam("p_not_before", type_=UtcDateTime)
)

COPY_REJECTED: Final = "copy_rejected"


def waiting_rejected(campaign: str) -> sa.Select[Any]:
    """Select rows that wait with rejected words and that nobody holds."""
    return (
        sa.select(emails.c.email_id)
        .where(is_one_of(emails.c.status, statuses.WAITING), emails.c.campaign == campaign)
        .where(REJECTED, emails.c.claimed_by.is_(None))
    )


def close_rejected(campaign: str, count: int, now: datetime) -> ReturningUpdate[Any]:
    """Close such rows; passes over those that others are taking."""
    waiting = waiting_rejected(campaign).limit(count).with_for_update(skip_locked=True)
    return (
        sa.update(emails)
        .where(emails.c.email_id.in_(waiting))
        .values(status="skipped", reason=COPY_REJECTED, not_before=None, updated_at=now)
        .returning(emails.c.email_id, emails.c.user_id)
    )


EXPIRED: Final = "expired"

EXPIRE: Final = (
    sa.update(emails)
    .where(emails.c.status == "unknown", emails.c.sent_at < sa.bindparam("p_before", type_=UtcDateTime))
    .where(emails.c.reason.is_distinct_from(EXPIRED))
    .values(reason=EXPIRED, updated_at=sa.bindparam("p_now", type_=UtcDateTime))
    .returning(emails.c.email_id, emails.c.user_id)
)
