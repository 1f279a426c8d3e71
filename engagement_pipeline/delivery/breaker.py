"""The circuit breaker: when too much bounces or too many complain, sending stops by itself until a person says go on.

SES reviews an account at 5 % hard bounces or 0.1 % complaints and pauses it at 10 % and 0.5 %; by then the domain's
name is spoilt. A trip is kept in the operational store, so every sender sees it, now and later.
"""

from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from engagement_pipeline.delivery.reputation import BOUNCES_JUDGED_FROM, COMPLAINTS_JUDGED_FROM, counts_since
from engagement_pipeline.platform import facts

WINDOW: Final = timedelta(days=30)

# One in so many: 5 % and 0.1 %.
BOUNCES_ONE_IN: Final = 20
COMPLAINTS_ONE_IN: Final = 1_000

HOW_TO_GO_ON: Final = "to go on: engagement deliveries resume"

_TRIPPED = "breaker_tripped"
_RESET_AT = "breaker_reset_at"


def judge(sent: int, hard_bounces: int, complaints: int) -> str | None:
    """Return why sending has to stop, with the numbers, or None if it may go on."""
    wrong = []
    if sent >= BOUNCES_JUDGED_FROM and hard_bounces * BOUNCES_ONE_IN > sent:
        wrong.append(f"{hard_bounces:,} bounced for good ({hard_bounces / sent:.2%}, the limit is 5%)")
    if sent >= COMPLAINTS_JUDGED_FROM and complaints * COMPLAINTS_ONE_IN > sent:
        wrong.append(f"{complaints:,} drew a complaint ({complaints / sent:.2%}, the limit is 0.1%)")
    return f"of {sent:,} e-mails sent, {' and '.join(wrong)}" if wrong else None


def check(connection: sa.Connection, now: datetime) -> str | None:
    """Return why nothing may be sent until a person has looked, and what he then does; or None. A trip is kept.

    Counts e-mails of every provider over the last 30 days, and not those from before the last `reset`.

    Args:
        connection: a writing transaction.
        now: timezone-aware.
    """
    reason = tripped(connection)
    if reason is None:
        counts = counts_since(connection, counted_from(connection, now))
        found = judge(counts.sent, counts.hard_bounces, counts.complaints)
        reason = found and facts.keep_first(connection, _TRIPPED, found)
    return reason and f"{reason}; {HOW_TO_GO_ON}"


def tripped(connection: sa.Connection) -> str | None:
    """Return why the breaker has tripped, or None if it has not; counts nothing."""
    return facts.get(connection, _TRIPPED)


def reset(connection: sa.Connection, now: datetime) -> str | None:
    """Let sending go on, in a writing transaction; return why it had stopped, or None if it had not.

    Only what is sent from now on is judged: what tripped the breaker would otherwise trip it again at once.
    """
    reason = tripped(connection)
    if reason is not None:
        facts.remove(connection, _TRIPPED)
        facts.put(connection, _RESET_AT, now.isoformat())
    return reason


def counted_from(connection: sa.Connection, now: datetime) -> datetime:
    """Return the moment from which e-mails are judged."""
    reset_at = facts.get(connection, _RESET_AT)
    return max(now - WINDOW, datetime.fromisoformat(reset_at)) if reset_at else now - WINDOW
