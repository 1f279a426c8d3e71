"""How much a new domain may send in a day: tiers that are earned by sending, so that mailbox providers learn to trust.

The first days count little; who sends a million at once from a domain that nobody knows ends in the spam folder.
"""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta, timezone
from typing import Final

import sqlalchemy as sa

from engagement_pipeline.delivery.reputation import (
    BOUNCES_JUDGED_FROM,
    COMPLAINTS_JUDGED_FROM,
    SendingDay,
    sending_days,
)
from engagement_pipeline.platform import facts

TIERS: Final = (100, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
DAYS_TO_EARN: Final = 2
WINDOW: Final = timedelta(days=30)

# One in so many: hard bounces under 2 %, complaints under 0.1 %.
_BOUNCES_ONE_IN = 50
_COMPLAINTS_ONE_IN = 1_000


def cap_after(days: Sequence[SendingDay], today: date) -> int:
    """Return how many e-mails may be sent on a day, given the days before it.

    The next tier is earned on a day that uses at least half of the cap, is the second such day since the cap is in
    force, and has good rates over the 30 days up to it. A day with bad rates counts as used, so that one more day with
    good ones is enough. The last tier stays for ever. What is learnt later of an old day is counted on that day: a
    domain whose e-mails turn out to have bounced loses the tier that they had earned.

    Args:
        days: days on which anything was sent, each once, in any order.
        today: the day asked about; it and what follows earn nothing yet.
    """
    past = sorted((day for day in days if day.day < today), key=lambda day: day.day)
    tier = used = 0
    for day in past:
        if 2 * day.sent < TIERS[tier]:
            continue
        used += 1
        if used >= DAYS_TO_EARN and tier + 1 < len(TIERS) and _is_healthy(past, day.day):
            tier, used = tier + 1, 0
    return TIERS[tier]


def current_cap(connection: sa.Connection, provider: str, now: datetime) -> int:
    """Return how many e-mails may go today (UTC) through a provider, without keeping it."""
    kept = facts.get(connection, _fact(provider))
    day, _, cap = (kept or "").partition(" ")
    if day == _today(now).isoformat():
        return int(cap)
    return cap_after(sending_days(connection, provider, midnight(now)), _today(now))


def day_cap(connection: sa.Connection, provider: str, now: datetime) -> int:
    """Return how many e-mails may go today (UTC) through a provider.

    Worked out once a day from the ledger, as that reads it whole, and kept: what is learnt during the day can lower
    tomorrow's cap. Today's trouble is the breaker's to see.

    Args:
        connection: a writing transaction.
        provider: as the ledger names it.
        now: timezone-aware.
    """
    cap = current_cap(connection, provider, now)
    kept = f"{_today(now).isoformat()} {cap}"
    if facts.get(connection, _fact(provider)) != kept:
        facts.put(connection, _fact(provider), kept)
    return cap


def midnight(now: datetime) -> datetime:
    """Return the moment (UTC) at which the sending day began."""
    return datetime.combine(_today(now), time(), timezone.utc)


def _is_healthy(days: Sequence[SendingDay], until: date) -> bool:
    window = [day for day in days if until - WINDOW < day.day <= until]
    sent = sum(day.sent for day in window)
    bounces = sum(day.hard_bounces for day in window)
    complaints = sum(day.complaints for day in window)
    return (sent < BOUNCES_JUDGED_FROM or bounces * _BOUNCES_ONE_IN < sent) and (
        sent < COMPLAINTS_JUDGED_FROM or complaints * _COMPLAINTS_ONE_IN < sent
    )


def _today(now: datetime) -> date:
    return now.astimezone(timezone.utc).date()


def _fact(provider: str) -> str:
    return f"warm_up:{provider}"
