"""Empties the ledger: judges each row again, renders it, hands it over and records what became of it."""

from collections.abc import Callable
from datetime import datetime, timedelta

from engagement_pipeline.cohorts.reasons import Reason
from engagement_pipeline.delivery.entries import Entry, Outcome, Ticket
from engagement_pipeline.delivery.judging import Judge, Letter
from engagement_pipeline.delivery.ledger import Ledger
from engagement_pipeline.delivery.mailer import (
    Mailer,
    Message,
    PausedError,
    PermanentError,
    TransientError,
    UncertainError,
)
from engagement_pipeline.delivery.rendering import CannotRenderError, MessageMaker
from engagement_pipeline.delivery.send_report import Progress, SendReport, Tally
from engagement_pipeline.delivery.statuses import OPEN
from engagement_pipeline.delivery.workers import new_worker

BATCH = 100
MAX_ATTEMPTS = 5

# Covers one hand-over, not a whole batch: marking a row renews its lease, and rows that wait may change hands freely.
LEASE_FOR = timedelta(minutes=1)

_FIRST_RETRY = timedelta(minutes=1)

Clock = Callable[[], datetime]


class Sender:
    """Sends one campaign's e-mails.

    Args:
        campaign: whose rows to send.
        ledger: holds the rows.
        judge: applies the gate.
        maker: renders messages.
        mailer: takes the messages; without one the run is dry.
    """

    def __init__(self, campaign: str, ledger: Ledger, judge: Judge, maker: MessageMaker, mailer: Mailer | None) -> None:
        self._campaign = campaign
        self._ledger = ledger
        self._judge = judge
        self._maker = maker
        self._mailer = mailer

    def run(self, now: Clock, on_progress: Progress | None = None) -> SendReport:
        """Send what is due, until nothing is.

        Several runs may go on at once; none takes another's row. What a killed run leaves, the next one resolves.

        Args:
            now: tells the time, timezone-aware.
            on_progress: called with the number of rows dealt with so far.
        """
        tally = Tally(on_progress)
        if self._mailer is None:
            return self._rehearse(now, tally)
        recovery = self._ledger.recover(self._mailer, now())
        tally.count("sent", recovery.sent)
        tally.count("unknown", recovery.unknown)
        self._ledger.queue(self._campaign, now())
        round_ = _Round(self._campaign, self._ledger, self._judge, self._maker, self._mailer, now, tally)
        stopped = None
        try:
            while round_.go():
                pass
        except PausedError as error:
            stopped = error.reason
        finally:
            round_.end()
        rows = self._ledger.count_by_status(self._campaign)
        return tally.report(waiting=rows.get("queued", 0) + rows.get("sending", 0), stopped=stopped)

    def _rehearse(self, now: Clock, tally: Tally) -> SendReport:
        written_to: set[str] = set()
        after: Entry | None = None
        while entries := self._ledger.due(self._campaign, now(), BATCH, after):
            judged = self._judge.judge(entries, now())
            for reason in judged.refused.values():
                tally.skip(reason)
            for letter in judged.letters:
                self._rehearse_one(letter, now(), written_to, tally)
            after = entries[-1]
        rows = self._ledger.count_by_status(self._campaign)
        return tally.report(waiting=sum(rows.get(status, 0) for status in OPEN) - tally.done, dry_run=True)

    def _rehearse_one(self, letter: Letter, now: datetime, written_to: set[str], tally: Tally) -> None:
        if letter.address_key in written_to:
            tally.skip(Reason.ADDRESS_COOL_DOWN.value)
            return
        try:
            self._maker.make(letter.entry, letter.email, letter.user.name, now)
        except CannotRenderError as error:
            tally.skip(error.reason)
            return
        written_to.add(letter.address_key)
        tally.count("sent")


class _Round:
    """One sender's turn with its claimed rows."""

    def __init__(
        self, campaign: str, ledger: Ledger, judge: Judge, maker: MessageMaker, mailer: Mailer, now: Clock, tally: Tally
    ) -> None:
        self._campaign = campaign
        self._ledger = ledger
        self._judge = judge
        self._maker = maker
        self._mailer = mailer
        self._now = now
        self._tally = tally
        self._worker = new_worker()

    def go(self) -> bool:
        """Go once through all rows that are due; tell whether any was dealt with, so that going again may find more."""
        done = self._tally.done
        after: Entry | None = None
        while entries := self._ledger.lease(self._campaign, self._now(), BATCH, after, self._worker, LEASE_FOR):
            self._deal_with(entries)
            after = entries[-1]
        return self._tally.done > done

    def end(self) -> None:
        """Give back what is still claimed."""
        self._ledger.release(self._worker)

    def _deal_with(self, entries: list[Entry]) -> None:
        judged = self._judge.judge(entries, self._now())
        ready: list[tuple[Letter, Message]] = []
        for letter in judged.letters:
            try:
                message = self._maker.make(letter.entry, letter.email, letter.user.name, self._now())
            except CannotRenderError as error:
                judged.refused[letter.entry.email_id] = error.reason
            else:
                ready.append((letter, message))
        self._ledger.skip(self._worker, judged.refused, self._now())
        for reason in judged.refused.values():
            self._tally.skip(reason)
        self._ledger.postpone(self._worker, judged.not_before)
        self._send(ready)

    def _send(self, ready: list[tuple[Letter, Message]]) -> None:
        finished: Outcome | None = None
        outdated: list[str] = []
        for letter, message in ready:
            if self._ledger.advance(self._worker, finished, self._ticket(letter), self._now(), LEASE_FOR):
                finished = self._hand_over(letter.entry, message)
            else:
                finished = None
                outdated.append(message.email_id)
        if finished is not None:
            self._ledger.advance(self._worker, finished, None, self._now(), LEASE_FOR)
        if outdated:
            # Something changed between the gate and the mark: judged anew in the next round.
            self._ledger.release(self._worker, outdated)

    def _ticket(self, letter: Letter) -> Ticket:
        return Ticket(
            email_id=letter.entry.email_id,
            user_id=letter.user.user_id,
            user_version=letter.user.version,
            address_key=letter.address_key,
            address_touched_at=letter.address.last_touch_at,
            provider=self._mailer.name,
        )

    def _hand_over(self, entry: Entry, message: Message) -> Outcome:
        try:
            receipt = self._mailer.send(message)
        except PausedError:
            back = Outcome(entry.email_id, entry.user_id, "queued", attempts=0)
            self._ledger.advance(self._worker, back, None, self._now(), LEASE_FOR)
            raise
        except PermanentError as error:
            return self._failed(entry, error.reason)
        except UncertainError as error:
            self._tally.count("unknown")
            return Outcome(entry.email_id, entry.user_id, "unknown", error.reason)
        except TransientError as error:
            return self._try_later(entry, error.reason)
        self._tally.count("sent")
        return Outcome(
            entry.email_id,
            entry.user_id,
            "delivered" if self._mailer.delivers else "sent",
            provider=self._mailer.name,
            provider_message_id=receipt.message_id,
        )

    def _try_later(self, entry: Entry, reason: str) -> Outcome:
        attempts = entry.attempts + 1
        if attempts >= MAX_ATTEMPTS:
            return self._failed(entry, reason)
        not_before = self._now() + retry_delay(attempts)
        return Outcome(entry.email_id, entry.user_id, "queued", reason, not_before=not_before)

    def _failed(self, entry: Entry, reason: str) -> Outcome:
        self._tally.count("failed")
        return Outcome(entry.email_id, entry.user_id, "failed", reason)


def retry_delay(attempts: int) -> timedelta:
    """Return how long to wait after the given number of failed attempts: 1 minute, then four times as long each."""
    return _FIRST_RETRY * int(4 ** (attempts - 1))
