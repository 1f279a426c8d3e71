"""What events do to rows of the SQL ledger, in a writing transaction that holds the change log's lock.

A change of status names, in its own predicate, the statuses that it may come from.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.sql.dml import ReturningUpdate

from engagement_pipeline.delivery import bookkeeping, statuses
from engagement_pipeline.delivery.entries import Correction, Report, StoredEmail
from engagement_pipeline.delivery.statements import is_one_of
from engagement_pipeline.delivery.statuses import REPORTED, Status
from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.platform import change_log
from engagement_pipeline.platform.change_log import Change
from engagement_pipeline.platform.sql import UtcDateTime


def report(connection: sa.Connection, reports: Sequence[Report], now: datetime) -> None:
    """Take in what events say of rows; see `Ledger.report`."""
    names = [
        {"p_email_id": each.email_id, "p_message_id": each.provider_message_id}
        for each in reports
        if each.provider_message_id is not None
    ]
    if names:
        connection.execute(_NOTE_PROVIDERS_ID, names)
    changed: dict[str, str] = {}
    for status in REPORTED:
        email_ids = sorted(each.email_id for each in reports if each.status == status)
        if email_ids:
            changed |= dict(connection.execute(_move(email_ids, status, now)).tuples().all())
    changed |= _date(connection, {each.email_id: each.moments for each in reports if each.moments}, now)
    _follow(connection, changed, now)


def correct(connection: sa.Connection, corrections: Sequence[Correction], now: datetime) -> int:
    """Give rows another status, forward or not; see `Ledger.correct`."""
    changed: dict[str, str] = {}
    for each in corrections:
        if connection.execute(_correct(each.row, each.status, now)).rowcount:
            changed[each.row.email_id] = each.row.user_id
    moments = {each.row.email_id: each.moments for each in corrections if each.moments}
    dated = _date(connection, {key: told for key, told in moments.items() if key in changed}, now)
    _follow(connection, changed | dated, now)
    return len(changed)


def _date(connection: sa.Connection, moments: Mapping[str, Sequence[datetime]], now: datetime) -> dict[str, str]:
    """Date rows that no sender has dated; return those that changed, with their users.

    A moment that the sender recorded stays. Else it is the earliest at which an event says that the e-mail was on its
    way, and none for a row that, in the end, was not sent.
    """
    changed = {}
    for row in connection.execute(_handed_over(sorted(moments))) if moments else ():
        if row.sent_at is not None and row.sent_at not in moments[row.email_id]:
            continue
        sent_at = min(moments[row.email_id]) if row.status in statuses.EMAILED else None
        values = {"p_email_id": row.email_id, "p_seen": row.sent_at, "p_sent_at": sent_at, "p_now": now}
        if sent_at != row.sent_at and connection.execute(_SET_SENT_AT, values).rowcount:
            changed[row.email_id] = row.user_id
    return changed


def _follow(connection: sa.Connection, changed: Mapping[str, str], now: datetime) -> None:
    """Bring users and the change log in line with rows that have changed, given with their users."""
    if changed:
        bookkeeping.touch_users(connection, sorted(set(changed.values())), now)
        change_log.append(connection, [Change("email", key, user, "updated") for key, user in changed.items()], now)


_NOTE_PROVIDERS_ID: Final = (
    sa.update(emails)
    .where(emails.c.email_id == sa.bindparam("p_email_id"), emails.c.provider_message_id.is_(None))
    .values(provider_message_id=sa.bindparam("p_message_id"))
)


def _move(email_ids: Collection[str], status: Status, now: datetime) -> ReturningUpdate[tuple[str, str]]:
    """Move those of the rows that may go there. A claim stays: its holder learns by itself that the row has moved."""
    return (
        sa.update(emails)
        .where(emails.c.email_id.in_(email_ids), is_one_of(emails.c.status, statuses.may_become(status)))
        .values(status=status, updated_at=now)
        .returning(emails.c.email_id, emails.c.user_id)
    )


def _handed_over(email_ids: Collection[str]) -> sa.Select[tuple[str, str, str, datetime]]:
    return sa.select(emails.c.email_id, emails.c.user_id, emails.c.status, emails.c.sent_at).where(
        emails.c.email_id.in_(email_ids), ~is_one_of(emails.c.status, {"draft", "held_out"})
    )


_SET_SENT_AT: Final = (
    sa.update(emails)
    .where(emails.c.email_id == sa.bindparam("p_email_id"))
    .where(emails.c.sent_at.is_not_distinct_from(sa.bindparam("p_seen", type_=UtcDateTime)))
    .values(sent_at=sa.bindparam("p_sent_at", type_=UtcDateTime), updated_at=sa.bindparam("p_now", type_=UtcDateTime))
)


def _correct(row: StoredEmail, status: Status, now: datetime) -> sa.Update:
    return (
        sa.update(emails)
        .where(emails.c.email_id == row.email_id, emails.c.status == row.status)
        .where(emails.c.sent_at.is_not_distinct_from(row.sent_at))
        .values(status=status, updated_at=now)
    )
