"""Turns to send, shared by all senders of a provider through the operational store: so many a second, so many a day."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from typing import Any, Final

import sqlalchemy as sa

from engagement_pipeline.delivery.tables import send_pace
from engagement_pipeline.platform.sql import Database, insert_or_ignore

# For so long after the last turn some message may be on its way that the provider has not counted yet.
_ON_THEIR_WAY: Final = timedelta(minutes=1)


# Further ahead, or by more turns, senders never are: a host whose clock is wrong must not make all others wait.
_FURTHEST: Final = timedelta(minutes=5)
_MOST_AHEAD: Final = 1_000


@dataclass(frozen=True)
class Turns:
    """The moments at which the next messages may go; none when the limit that `used_up` names is reached.

    All are on one day (UTC), against which they count.
    """

    at: tuple[datetime, ...]
    used_up: str | None = None


class TurnBook:
    """Hands out turns of one provider, each once, whichever process asks."""

    def __init__(self, database: Database, provider: str) -> None:
        self._database = database
        self._provider = provider

    def set_quota(self, left: int | None, now: datetime) -> None:
        """Take over what the provider says is left of its quota; None where it has none.

        While others send, our own count stands where it is lower: the provider has not counted what is on its way.
        """
        with self._database.write() as connection:
            row = self._row(connection, now)
            if left is not None and row.left_of_quota is not None and row.next_at > now - _ON_THEIR_WAY:
                left = min(left, row.left_of_quota)
            connection.execute(self._update().values(left_of_quota=left))

    def take(self, count: int, interval: timedelta, day_cap: int | None, now: datetime) -> Turns:
        """Take up to `count` turns, `interval` apart, behind all that were taken before."""
        with self._database.write() as connection:
            row = self._row(connection, now)
            first = max(min(row.next_at, now + max(_FURTHEST, _MOST_AHEAD * interval)), now)
            taken = row.taken_on_day if row.day == day_of(first) else 0
            if day_cap is not None and taken >= day_cap:
                return Turns((), f"the day's limit of {day_cap:,} e-mails is reached")
            if row.left_of_quota is not None and row.left_of_quota <= 0:
                return Turns((), "the provider's quota for 24 hours is used up")
            limits = (None if day_cap is None else day_cap - taken, row.left_of_quota, _until_midnight(first, interval))
            count = min([count, *(limit for limit in limits if limit is not None)])
            connection.execute(
                self._update().values(
                    next_at=first + count * interval,
                    day=day_of(first),
                    taken_on_day=taken + count,
                    left_of_quota=send_pace.c.left_of_quota - count,
                )
            )
        return Turns(tuple(first + number * interval for number in range(count)))

    def give_back(self, turns: Iterable[datetime], now: datetime) -> None:
        """Give back turns that were not used, so that they do not count against their day."""
        days = [day_of(turn) for turn in turns]
        if not days:
            return
        with self._database.write() as connection:
            row = self._row(connection, now)
            connection.execute(
                self._update().values(
                    taken_on_day=max(0, row.taken_on_day - days.count(row.day)),
                    left_of_quota=send_pace.c.left_of_quota + len(days),
                )
            )

    def _row(self, connection: sa.Connection, now: datetime) -> sa.Row[Any]:
        query = sa.select(send_pace).where(send_pace.c.provider == self._provider).with_for_update()
        if found := connection.execute(query).one_or_none():
            return found
        new = {"provider": self._provider, "next_at": now, "day": day_of(now), "taken_on_day": 0, "left_of_quota": None}
        insert_or_ignore(connection, send_pace, [new])
        return connection.execute(query).one()

    def _update(self) -> sa.Update:
        return sa.update(send_pace).where(send_pace.c.provider == self._provider)


def day_of(moment: datetime) -> date:
    """Return the day (UTC) against which a turn counts."""
    return moment.astimezone(timezone.utc).date()


def _until_midnight(first: datetime, interval: timedelta) -> int | None:
    if not interval:
        return None
    midnight = datetime.combine(day_of(first) + timedelta(days=1), time(), timezone.utc)
    return -((first - midnight) // interval)
