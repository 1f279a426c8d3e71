"""The pace of a sending run: as fast as the provider allows, slower when it asks, not at all when it must stop.

Turns come from the operational store, so that concurrent senders share one rate. A turn that could not be used in time
is given back rather than caught up with: catching up would be a burst.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Protocol

from engagement_pipeline.delivery.mailer import Allowance, HeldBackError, PausedError
from engagement_pipeline.delivery.turns import TurnBook
from engagement_pipeline.platform import clock
from engagement_pipeline.platform.sql import Database

Clock = Callable[[], datetime]

# Turns are spread a little wider than allowed, so that messages which are a few milliseconds late or early never make
# one too many within any second.
_SHARE_OF_RATE: Final = 0.97
_IN_TIME: Final = timedelta(milliseconds=20)
# Turns taken from the store at once last this long: few enough to share fairly, enough not to ask for each message.
_TURNS_FOR: Final = timedelta(milliseconds=100)
_TURNS_WITHOUT_RATE: Final = 50

_LOOK_EVERY_SECONDS: Final = 10.0

# A share of refused calls is ordinary where others use the same account: each is tried again at its turn, which by
# itself slows us down. So many in a row mean that we have to hold still for a while.
_REFUSED_IN_A_ROW: Final = 16
_FIRST_PAUSE_SECONDS: Final = 0.1
_PAUSES: Final = 9


class Limits(Protocol):
    """What the system itself allows, whatever the provider would take."""

    def day_cap(self, provider: str, now: datetime) -> int | None:
        """Return how many e-mails may go today, or None for any number."""

    def must_stop(self, now: datetime) -> str | None:
        """Return why nothing may be sent until a person has looked, or None."""


class Pace:
    """Tells each thread of a run when its next message may go."""

    def __init__(
        self,
        database: Database,
        provider: str,
        allowance: Allowance,
        limits: Limits,
        now: Clock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Begin a run at the pace that the provider allows at this moment.

        Raises:
            PausedError: the system itself does not allow sending; says why.
        """
        self._provider = provider
        self._book = TurnBook(database, provider)
        self._limits = limits
        self._now = now
        self._sleep = sleep
        self._per_day = allowance.per_day
        self._rate = allowance.per_second
        self._interval = timedelta(seconds=1 / (self._rate * _SHARE_OF_RATE)) if self._rate else timedelta()
        self._turns: deque[datetime] = deque()
        self._taking = threading.Lock()
        self._starting = threading.Lock()
        self._last_start = 0.0
        self._refused_in_a_row = 0
        self._looked_at = clock.monotonic()
        self._day_cap = self._look()
        self._has_quota = allowance.left_today is not None
        if self._has_quota:
            self._book.set_quota(allowance.left_today, now())

    def take(self) -> datetime | None:
        """Take the next turn; None where there is nothing to wait for.

        Raises:
            HeldBackError: a limit for the day is reached.
            PausedError: the system itself does not allow sending any more.
        """
        with self._taking:
            if clock.monotonic() - self._looked_at > _LOOK_EVERY_SECONDS:
                self._day_cap = self._look()
            if self._rate is None and self._day_cap is None and not self._has_quota:
                return None
            if not self._turns:
                turns = self._book.take(self._chunk(), self._interval, self._day_cap, self._now())
                if turns.used_up:
                    raise HeldBackError(turns.used_up)
                self._turns.extend(turns.at)
            return self._turns.popleft()

    def seconds_until(self, turn: datetime | None) -> float:
        """Return how long a turn is still away; 0 where it has come."""
        return max(0.0, (turn - self._now()).total_seconds()) if turn else 0.0

    def wait_for(self, turn: datetime | None) -> None:
        """Wait until a turn has come."""
        if turn is not None:
            self._sleep(self.seconds_until(turn))

    def start(self, turn: datetime | None) -> None:
        """Wait until the very moment at which a message may be handed over.

        Raises:
            HeldBackError: the turn has gone by, and there is no other today.
        """
        if self._rate is None:
            return
        while turn is not None and self._now() - turn > _IN_TIME:
            self.give_back(1)
            turn = self.take()
            self.wait_for(turn)
        with self._starting:
            # Whatever delayed the message before, this one keeps its distance to it.
            wait = self._last_start + 1 / self._rate - clock.monotonic()
            if wait > 0:
                self._sleep(wait)
            self._last_start = clock.monotonic()

    def accepted(self) -> None:
        """Take note that the provider answers with anything but that we are too fast."""
        self._refused_in_a_row = 0

    def refused(self) -> float:
        """Take note that a call came too fast; return the seconds to rest before the next one.

        Raises:
            PausedError: resting longer and longer has not helped.
        """
        self._refused_in_a_row += 1
        beyond = self._refused_in_a_row - (_REFUSED_IN_A_ROW if self._rate else 1)
        if beyond > _PAUSES:
            raise PausedError("the provider refuses every call because they come too fast")
        return _FIRST_PAUSE_SECONDS * 2.0**beyond if beyond >= 0 else 0.0

    def rest(self, seconds: float) -> None:
        """Send nothing for a while."""
        self._sleep(seconds)

    @property
    def ahead(self) -> int | None:
        """How many messages go within a quarter of a minute: what is worth preparing; None where nobody can tell."""
        return int(self._rate * 15) if self._rate else None

    def give_back(self, turns: int = 0) -> None:
        """Give back a number of turns, or at the end all that were not used."""
        if not turns:
            with self._taking:
                turns = len(self._turns)
                self._turns.clear()
        if turns:
            self._book.give_back(turns, self._now())

    def _chunk(self) -> int:
        if self._rate is None:
            return _TURNS_WITHOUT_RATE
        return max(1, int(_TURNS_FOR / self._interval))

    def _look(self) -> int | None:
        self._looked_at = clock.monotonic()
        now = self._now()
        if reason := self._limits.must_stop(now):
            raise PausedError(reason)
        caps = [cap for cap in (self._per_day, self._limits.day_cap(self._provider, now)) if cap is not None]
        return min(caps, default=None)
