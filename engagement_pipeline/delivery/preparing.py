"""Works ahead of the lanes: claims rows, judges and renders them, so that the provider sets the pace, not we."""

import threading
from dataclasses import dataclass
from datetime import timedelta
from queue import Full, Queue
from typing import Final

from engagement_pipeline.delivery.entries import Entry
from engagement_pipeline.delivery.judging import Judge, Letter
from engagement_pipeline.delivery.ledger import Ledger
from engagement_pipeline.delivery.message import Message
from engagement_pipeline.delivery.pace import Clock
from engagement_pipeline.delivery.rendering import CannotRenderError, MessageMaker
from engagement_pipeline.delivery.send_report import Tally

# Longer than a provider may take to answer. Rows that only wait may change hands freely: marking one renews its lease.
LEASE_FOR: Final = timedelta(minutes=5)

LOOK_FOR_STOP_SECONDS: Final = 0.1

# Each round begins with few, so that the lanes need not wait for many.
_FIRST_BATCH: Final = 10


@dataclass(frozen=True)
class Ready:
    """A message with what it was judged on."""

    letter: Letter
    message: Message


Line = Queue[Ready | None]


class Preparer:
    """Puts messages into the line, and None for each lane at its end."""

    def __init__(
        self, campaign: str, ledger: Ledger, judge: Judge, maker: MessageMaker, worker: str, now: Clock, tally: Tally
    ) -> None:
        self._campaign = campaign
        self._ledger = ledger
        self._judge = judge
        self._maker = maker
        self._worker = worker
        self._now = now
        self._tally = tally

    def run(self, line: Line, batch: int, lanes: int, stop: threading.Event) -> None:
        """Go once through all rows that are due, the most valuable first."""
        after: Entry | None = None
        count = min(_FIRST_BATCH, batch)
        while not stop.is_set() and (entries := self._lease(count, after)):
            for ready in self._prepare(entries):
                _put(line, ready, stop)
            after = entries[-1]
            count = min(2 * count, batch)
        for _ in range(lanes):
            _put(line, None, stop)

    def _lease(self, batch: int, after: Entry | None) -> list[Entry]:
        return self._ledger.lease(self._campaign, self._now(), batch, after, self._worker, LEASE_FOR)

    def _prepare(self, entries: list[Entry]) -> list[Ready]:
        judged = self._judge.judge(entries, self._now())
        ready: list[Ready] = []
        for letter in judged.letters:
            try:
                message = self._maker.make(letter.entry, letter.email, letter.user.name, self._now())
            except CannotRenderError as error:
                judged.refused[letter.entry.email_id] = error.reason
            else:
                ready.append(Ready(letter, message))
        self._ledger.skip(self._worker, judged.refused, self._now())
        for reason in judged.refused.values():
            self._tally.skip(reason)
        self._ledger.postpone(self._worker, judged.not_before)
        return ready


def _put(line: Line, ready: Ready | None, stop: threading.Event) -> None:
    # A line that nobody empties any more must not hold the thread for ever.
    while not stop.is_set():
        try:
            line.put(ready, timeout=LOOK_FOR_STOP_SECONDS)
        except Full:
            continue
        return
