"""One lane of a sending run: takes messages from the line one by one, and has at most one in its hands."""

import threading
from datetime import datetime, timedelta
from queue import Empty
from typing import Final

from engagement_pipeline.delivery.entries import Outcome, Ticket
from engagement_pipeline.delivery.judging import Letter
from engagement_pipeline.delivery.ledger import Ledger
from engagement_pipeline.delivery.mailer import (
    HeldBackError,
    Mailer,
    PausedError,
    PermanentError,
    ThrottledError,
    TransientError,
    UncertainError,
)
from engagement_pipeline.delivery.pace import Clock, Pace
from engagement_pipeline.delivery.preparing import LEASE_FOR, LOOK_FOR_STOP_SECONDS, Line, Ready
from engagement_pipeline.delivery.send_report import Tally
from engagement_pipeline.delivery.statuses import Status
from engagement_pipeline.platform import clock

MAX_ATTEMPTS: Final = 5
_FIRST_RETRY: Final = timedelta(minutes=1)
_AFTER_A_PAUSE: Final = timedelta(hours=1)

# Who has to wait longer for its turn first records what became of the message before.
_PATIENCE_SECONDS: Final = 0.05

_SETTLE_EVERY_SECONDS: Final = 2.0


class Settler:
    """Settles what the lanes of a run have closed, every other second."""

    def __init__(self, ledger: Ledger, worker: str, mailer: Mailer, now: Clock) -> None:
        self._ledger = ledger
        self._worker = worker
        self._mailer = mailer
        self._now = now
        self._settling = threading.Lock()
        self._settled_at = clock.monotonic()

    def settle_if_due(self) -> None:
        if clock.monotonic() - self._settled_at < _SETTLE_EVERY_SECONDS or not self._settling.acquire(blocking=False):
            return
        try:
            self.settle()
        finally:
            self._settling.release()

    def settle(self) -> None:
        self._settled_at = clock.monotonic()
        self._ledger.settle(self._worker, self._mailer, self._now())


class Lane:
    """Hands messages over, each at its turn. Of a lane that dies at most one message is in doubt."""

    def __init__(
        self, ledger: Ledger, mailer: Mailer, pace: Pace, settler: Settler, worker: str, now: Clock, tally: Tally
    ) -> None:
        self._ledger = ledger
        self._mailer = mailer
        self._pace = pace
        self._settler = settler
        self._worker = worker
        self._now = now
        self._tally = tally
        self._finished: Outcome | None = None
        self._outdated: list[str] = []

    def run(self, line: Line, stop: threading.Event) -> None:
        """Send what comes along the line until its end.

        Raises:
            PausedError: nothing more can be sent for now.
        """
        turn: datetime | None = None
        try:
            while (ready := self._next(line, stop)) is not None:
                turn = turn or self._pace.take()
                if not self._wait_for(turn):
                    break
                if self._mark(ready.letter):
                    used, turn = turn, None
                    self._deal_with(ready, used)
                self._settler.settle_if_due()
        finally:
            self._pace.give_back(turn)
            self._record()
            if self._outdated:
                # Something changed between the gate and the mark: judged anew in the next round.
                self._ledger.release(self._worker, self._outdated)

    def _next(self, line: Line, stop: threading.Event) -> Ready | None:
        while not stop.is_set():
            try:
                return line.get(timeout=LOOK_FOR_STOP_SECONDS)
            except Empty:
                self._record()
        return None

    def _wait_for(self, turn: datetime | None) -> bool:
        if self._pace.seconds_until(turn) > _PATIENCE_SECONDS:
            self._record()
        return self._pace.wait_for(turn)

    def _record(self) -> None:
        if self._finished is not None:
            self._ledger.advance(self._worker, self._finished, None, self._now(), LEASE_FOR)
            self._finished = None

    def _mark(self, letter: Letter) -> bool:
        ticket = Ticket(
            email_id=letter.entry.email_id,
            user_id=letter.user.user_id,
            user_version=letter.user.version,
            address_key=letter.address_key,
            address_touched_at=letter.address.last_touch_at,
            provider=self._mailer.name,
            user_as_read=letter.user.as_read,
        )
        marked = self._ledger.advance(self._worker, self._finished, ticket, self._now(), LEASE_FOR)
        self._finished = None
        if not marked:
            self._outdated.append(letter.entry.email_id)
        return marked

    def _deal_with(self, ready: Ready, turn: datetime | None) -> None:
        # Until the mailer has answered, this is what we know of a message that was not handed over.
        self._finished = _back_in_the_queue(ready)
        begun = self._pace.start(turn)
        if begun is None:
            return
        try:
            self._finished = self._hand_over(ready)
        except HeldBackError:
            self._pace.give_back(begun.turn)
            raise
        except PausedError:
            # Should the message itself be the reason, it must not be the first of every run to come.
            self._finished = _back_in_the_queue(ready, not_before=self._now() + _AFTER_A_PAUSE)
            self._pace.give_back(begun.turn)
            raise
        except ThrottledError:
            self._tally.count("throttled")
            self._pace.refused(begun)
        except BaseException:
            # Nobody can tell what became of it: whoever finds the row asks.
            self._finished = None
            raise
        else:
            self._count(self._finished.status)
            if self._finished.status == "unknown":
                self._pace.unanswered()
            else:
                self._pace.answered()

    def _hand_over(self, ready: Ready) -> Outcome:
        email_id = ready.message.email_id
        try:
            receipt = self._mailer.send(ready.message)
        except (PausedError, ThrottledError):
            raise
        except PermanentError as error:
            return Outcome(email_id, "failed", error.reason)
        except UncertainError as error:
            return Outcome(email_id, "unknown", error.reason)
        except TransientError as error:
            return self._try_later(ready.letter.entry.attempts + 1, email_id, error.reason)
        status: Status = "delivered" if self._mailer.delivers else "sent"
        return Outcome(email_id, status, provider_message_id=receipt.message_id)

    def _try_later(self, attempts: int, email_id: str, reason: str) -> Outcome:
        if attempts >= MAX_ATTEMPTS:
            return Outcome(email_id, "failed", reason)
        return Outcome(email_id, "queued", reason, not_before=self._now() + retry_delay(attempts))

    def _count(self, status: Status) -> None:
        if status in ("sent", "delivered"):
            self._tally.count("sent")
        elif status == "failed":
            self._tally.count("failed")
        elif status == "unknown":
            self._tally.count("unknown")


def _back_in_the_queue(ready: Ready, not_before: datetime | None = None) -> Outcome:
    return Outcome(ready.message.email_id, "queued", attempts=0, not_before=not_before)


def retry_delay(attempts: int) -> timedelta:
    """Return how long to wait after the given number of failed attempts: 1 minute, then four times as long each."""
    return _FIRST_RETRY * int(4 ** (attempts - 1))
