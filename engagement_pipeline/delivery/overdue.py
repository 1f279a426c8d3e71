"""E-mails that should have gone long ago."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from engagement_pipeline.delivery.statements import may_be_sent
from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.platform.sql import UtcDateTime

# Sending hours come round within a day, and every day's quota does too.
OVERDUE_AFTER: Final = timedelta(hours=24)

_WAITS = emails.c.status.in_(["draft", "queued"])


@dataclass(frozen=True)
class Overdue:
    """How many e-mails have been due for longer than `OVERDUE_AFTER`.

    Attributes:
        number: of them.
        oldest: since when the oldest is due, or None where none is overdue.
        sent_meanwhile: e-mails that went in that time.
        overlooked: whether any is worth more than one that went: the sender takes the most valuable first, so those
            that wait for another day's quota are worth less. True too where nothing went at all.
    """

    number: int
    oldest: datetime | None
    sent_meanwhile: int
    overlooked: bool


def overdue(connection: sa.Connection, now: datetime, *, needs_approval: bool = False) -> Overdue:
    """Count the e-mails of every campaign that are overdue; those that wait for somebody's approval are not."""
    since = now - OVERDUE_AFTER
    value = emails.c.value_at_risk
    due = sa.func.coalesce(emails.c.not_before, emails.c.created_at, type_=UtcDateTime)
    late = sa.select(sa.func.count(), sa.func.min(due), sa.func.max(value)).where(
        _WAITS, due < since, may_be_sent(needs_approval)
    )
    gone = sa.select(sa.func.count(), sa.func.min(value)).where(emails.c.sent_at >= since)
    number, oldest, most_valuable = connection.execute(late).one()
    sent, least_valuable = connection.execute(gone).one()
    return Overdue(number, oldest, sent, number > 0 and (sent == 0 or most_valuable > least_valuable))
