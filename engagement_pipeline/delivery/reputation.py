"""What providers judge a sender by: how many of the e-mails sent bounced for good or drew a complaint.

A bounce or a complaint belongs to the moment at which its e-mail was sent. Both are read off the ledger's statuses,
which follow the events, because few rows have these statuses and the index finds them among millions.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa

from engagement_pipeline.delivery import statuses
from engagement_pipeline.delivery.tables import email_events, emails

# What ends in a folder bounces nowhere, and must not make a rate look better than it is.
LIVE_PROVIDERS: Final = ("ses", "smtp")

# Fewer e-mails than these say nothing about a rate.
BOUNCES_JUDGED_FROM: Final = 200
COMPLAINTS_JUDGED_FROM: Final = 1_000

# A complaint is the graver word and hides an earlier bounce: a message can be sent on by one server and refused by the
# next.
_BOUNCED: Final = sa.or_(
    emails.c.status == "bounced",
    sa.and_(
        emails.c.status == "complained",
        sa.exists().where(email_events.c.email_id == emails.c.email_id, email_events.c.kind == "hard_bounce"),
    ),
)
_COMPLAINED: Final = emails.c.status == "complained"


@dataclass(frozen=True)
class Counts:
    """E-mails that were handed over and, of these, how many bounced for good and how many drew a complaint."""

    sent: int = 0
    hard_bounces: int = 0
    complaints: int = 0


@dataclass(frozen=True)
class SendingDay:
    """One day (UTC) of a provider, counted as in `Counts`, with what has become of its e-mails since."""

    day: date
    sent: int
    hard_bounces: int = 0
    complaints: int = 0


def counts_since(connection: sa.Connection, since: datetime) -> Counts:
    """Count e-mails that really went out, at `since` or later; includes the few that are in a sender's hands."""
    went_out = sa.and_(emails.c.provider.in_(LIVE_PROVIDERS), emails.c.sent_at >= since)
    bounces, complaints = (_number(connection, sa.and_(went_out, which)) for which in (_BOUNCED, _COMPLAINED))
    # Asks for nothing but provider and moment, so that their index alone answers.
    return Counts(_number(connection, went_out), bounces, complaints)


def sent_since(connection: sa.Connection, provider: str, since: datetime) -> int:
    """Count the e-mails that a provider took at `since` or later."""
    return _number(connection, sa.and_(emails.c.sent_at >= since, emails.c.provider == provider))


def sending_days(connection: sa.Connection, provider: str, before: datetime) -> list[SendingDay]:
    """Return the days on which a provider took e-mails before a moment, oldest first. Reads the whole ledger once."""
    mine = sa.and_(emails.c.provider == provider, emails.c.sent_at < before)
    sent = _by_day(connection, sa.and_(mine, emails.c.status.in_(sorted(statuses.EMAILED))))
    bounced = _by_day(connection, sa.and_(mine, _BOUNCED))
    complained = _by_day(connection, sa.and_(mine, _COMPLAINED))
    return [SendingDay(day, sent[day], bounced.get(day, 0), complained.get(day, 0)) for day in sorted(sent)]


def _number(connection: sa.Connection, which: sa.ColumnElement[bool]) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(emails).where(which)).scalar_one()


def _by_day(connection: sa.Connection, which: sa.ColumnElement[bool]) -> dict[date, int]:
    day: sa.ColumnElement[Any] = emails.c.sent_at
    if connection.dialect.name == "postgresql":
        day = sa.func.timezone("UTC", day)
    day = sa.func.date(day)
    rows = connection.execute(sa.select(day, sa.func.count()).where(which).group_by(day))
    return {row[0] if isinstance(row[0], date) else date.fromisoformat(row[0]): row[1] for row in rows}
