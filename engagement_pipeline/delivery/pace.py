"""The pace of a sending run: as fast as the provider allows, slower when it asks, not at all when it must stop.

Turns come from the operational store, so that concurrent senders share one rate. A turn that could not be used in time
is given back rather than caught up with: catching up would be a burst.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from engagement_pipeline.delivery.mailer import Allowance, HeldBackError, PausedError
from engagement_pipeline.delivery.turns import TurnBook, day_of
from engagement_pipeline.platform import clock
from engagement_pipeline.platform.sql import Database

Clock = Callable[[], datetime]

# Turns are spread a little wider than allowed, so that messages which are a few milliseconds late or early never make
# one too many within any second.
_SHARE_OF_RATE: Final = 0.97
_IN_TIME: Final = timedelta(milliseconds=20)
# A message is marked in the ledger so long before its turn: what the store takes for it must not make it late. Not
# longer, because of a marked message nobody can tell after a crash whether it went.
_TO_MARK_SECONDS: Final = 0.01
# Turns taken from the store at once last this long: few enough to share fairly, enough not to ask for each message.
_TURNS_FOR: Final = timedelta(milliseconds=100)
_TURNS_WITHOUT_RATE: Final = 50

_LOOK_EVERY_SECONDS: Final = 10.0

# A share of refused calls is ordinary where others use the same account: each is tried again at its turn, which by
# itself slows us down. So many in a row mean that all have to hold still, for twice as long each time.
_REFUSED_IN_A_ROW: Final = 16
_FIRST_REST_SECONDS: Final = 0.1
_RESTS: Final = 10


@dataclass(frozen=True)
class Begun:
    """A message that is being handed over: at which turn, and when by the monotonic clock."""

    turn: datetime | None
    at: float


_UNANSWERED_IN_A_ROW: Final = 10


class Limits(Protocol):
    """What the system itself allows, whatever the provider would take."""

    def day_cap(self, provider: str, now: datetime) -> int | None:
        """Return how many e-mails may go today, or None for any number."""

    def must_stop(self, now: datetime) -> str | None:
        """Return why nothing may be sent until a person has looked, or None."""


class Pace:
    """Tells each thread of a run when its next message may go."""

    def __init__(self, database: Database, provider: str, allowance: Allowance, limits: Limits, now: Clock) -> None:
        """Begin a run at the pace that the provider allows at this moment.

        Raises:
            PausedError: the system itself does not allow sending; says why.
        """
        self._provider = provider
        self._book = TurnBook(database, provider)
        self._limits = limits
        self._now = now
        self._per_day = allowance.per_day
        self._rate = allowance.per_second
        self._interval = timedelta(seconds=1 / (self._rate * _SHARE_OF_RATE)) if self._rate else timedelta()
        self._turns: deque[datetime] = deque()
        self._unused: list[datetime] = []
        self._taking = threading.Lock()
        self._looking = threading.Lock()
        self._starting = threading.Lock()
        self._counting = threading.Lock()
        self._halted = threading.Event()
        self._last_start = 0.0
        self._refused_in_a_row = self._rests = self._unanswered_in_a_row = 0
        self._rest_until = 0.0
        self._looked_at = clock.monotonic()
        self._day_cap = self._look()
        self._has_quota = allowance.left_today is not None
        self._book.set_quota(allowance.left_today, now())

    def take(self) -> datetime | None:
        """Take the next turn; None where there is nothing to wait for.

        Raises:
            HeldBackError: a limit for the day is reached.
            PausedError: the system itself does not allow sending any more.
        """
        self._look_if_due()
        if self._rate is None and self._day_cap is None and not self._has_quota:
            return None
        with self._taking:
            while self._turns:
                turn = self._turns.popleft()
                if not self._is_past(turn):
                    return turn
                self._unused.append(turn)
            self._return_unused()
            turns = self._book.take(self._chunk(), self._interval, self._day_cap, self._now())
            if turns.used_up:
                raise HeldBackError(turns.used_up)
            self._turns.extend(turns.at)
            return self._turns.popleft()

    def seconds_until(self, turn: datetime | None) -> float:
        """Return how long it is until a message may be made ready for its turn; 0 where it may at once."""
        turn_in = (turn - self._now()).total_seconds() - _TO_MARK_SECONDS if turn else 0.0
        return max(0.0, turn_in, self._rest_until - clock.monotonic())

    def wait_for(self, turn: datetime | None) -> bool:
        """Wait until a message may be made ready for its turn; tell whether the run still goes on."""
        return self._wait(self.seconds_until(turn))

    def start(self, turn: datetime | None) -> Begun | None:
        """Wait until the very moment at which a message may be handed over; None where the run does not go on.

        The turn is used up or given back, whatever happens.

        Raises:
            HeldBackError: the turn has gone by, and there is no other today.
            PausedError: the system itself does not allow sending any more.
        """
        while self._wait(self._seconds_until_start(turn)):
            with self._starting:
                if begun := self._start_now(turn):
                    return begun
            self.give_back(turn)
            turn = self.take()
        self.give_back(turn)
        return None

    def answered(self) -> None:
        """Take note that the provider answers with anything but that we are too fast."""
        with self._counting:
            self._refused_in_a_row = self._rests = self._unanswered_in_a_row = 0

    def unanswered(self) -> None:
        """Take note that nobody can tell whether a message was taken.

        Raises:
            PausedError: that has happened too often in a row; going on would put the whole campaign in doubt.
        """
        with self._counting:
            self._unanswered_in_a_row += 1
            if self._unanswered_in_a_row >= _UNANSWERED_IN_A_ROW:
                raise PausedError(
                    f"of {self._unanswered_in_a_row} messages in a row the provider did not say whether it took them"
                )

    def refused(self, begun: Begun) -> None:
        """Take note that a call came too fast: after too many in a row nobody starts for a while.

        Raises:
            PausedError: resting longer and longer has not helped.
        """
        self.give_back(begun.turn)
        with self._counting:
            self._refused_in_a_row += 1
            # Calls that were under way when a rest began say nothing about whether it has helped.
            if self._refused_in_a_row < (_REFUSED_IN_A_ROW if self._rate else 1) or begun.at < self._rest_until:
                return
            if self._rests == _RESTS:
                raise PausedError("the provider refuses every call because they come too fast")
            self._rest_until = clock.monotonic() + _FIRST_REST_SECONDS * 2.0**self._rests
            self._rests += 1

    def halt(self) -> None:
        """Let nobody start any more, nor wait for it."""
        self._halted.set()

    @property
    def ahead(self) -> int | None:
        """How many messages go within a quarter of a minute: what is worth preparing; None where nobody can tell."""
        return max(1, int(self._rate * 15)) if self._rate else None

    def give_back(self, turn: datetime | None) -> None:
        """Give back a turn at which nothing was handed over, so that it does not count against the day."""
        if turn is not None:
            with self._taking:
                self._unused.append(turn)

    def close(self) -> None:
        """Give back all turns that were not used."""
        with self._taking:
            self._unused.extend(self._turns)
            self._turns.clear()
            self._return_unused()

    def _start_now(self, turn: datetime | None) -> Begun | None:
        """Start unless the turn has gone by; one thread at a time."""
        if self._rate is not None:
            # Whatever delayed the message before, this one keeps its distance to it.
            start = max(clock.monotonic(), self._last_start + 1 / self._rate)
            if not self._wait(start - clock.monotonic()) or (turn is not None and self._is_past(turn)):
                return None
            self._last_start = start
        return Begun(turn, clock.monotonic())

    def _seconds_until_start(self, turn: datetime | None) -> float:
        turn_in = (turn - self._now()).total_seconds() if turn else 0.0
        return max(turn_in, self._rest_until - clock.monotonic())

    def _is_past(self, turn: datetime) -> bool:
        now = self._now()
        # Without a rate a turn is nothing but a share of its day.
        return now - turn > _IN_TIME if self._rate else day_of(now) != day_of(turn)

    def _return_unused(self) -> None:
        unused, self._unused = self._unused, []
        self._book.give_back(unused, self._now())

    def _wait(self, seconds: float) -> bool:
        return not (self._halted.wait(seconds) if seconds > 0 else self._halted.is_set())

    def _chunk(self) -> int:
        if self._rate is None:
            return _TURNS_WITHOUT_RATE
        return max(1, int(_TURNS_FOR / self._interval))

    def _look_if_due(self) -> None:
        # Counting a large ledger takes its time: one thread does it, the others go on.
        if clock.monotonic() - self._looked_at < _LOOK_EVERY_SECONDS or not self._looking.acquire(blocking=False):
            return
        try:
            self._day_cap = self._look()
        finally:
            self._looking.release()

    def _look(self) -> int | None:
        self._looked_at = clock.monotonic()
        now = self._now()
        if reason := self._limits.must_stop(now):
            raise PausedError(reason)
        caps = [cap for cap in (self._per_day, self._limits.day_cap(self._provider, now)) if cap is not None]
        return min(caps, default=None)
