"""Takes changes from the queue into the operational store: received, validated, merged, written, and only then deleted.

A process that dies at any moment leaves messages that come again, and change nothing then. Poison, a message that is
no event, is recorded as rejected with its reason and put among the dead letters; the queue's own limit of receptions
has to be so high that nothing else ever gets there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from engagement_pipeline.changes import asking
from engagement_pipeline.changes.events import BadChangeError, ChangeEvent, parse
from engagement_pipeline.changes.item_reader import ItemReader
from engagement_pipeline.changes.queue import ChangeQueue, Message
from engagement_pipeline.changes.read_model import ReadModel
from engagement_pipeline.changes.reading import Reading
from engagement_pipeline.platform import change_claims, change_log, clock
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users import rejects
from engagement_pipeline.users.rejects import Reject

# Asked at once, only some of SQS's servers answer, and a queue can look empty that is not.
_WAIT_SECONDS: Final = 1
# While more come all the time, whoever waits for what was taken goes on after so long.
LONGEST_SECONDS: Final = 30.0
# What is wrong with a row, and not with the store.
NOT_STORABLE: Final = (sa.exc.IntegrityError, sa.exc.DataError, OverflowError)


@dataclass(frozen=True)
class ConsumerReport:
    """What became of the messages of a run.

    Attributes:
        taken: messages that were events.
        applied: items that have moved on by that; the rest was known or overtaken.
        rejected: items that are no proper users or orders.
        set_aside: poison.
    """

    taken: int = 0
    applied: int = 0
    rejected: int = 0
    set_aside: int = 0

    def __add__(self, other: "ConsumerReport") -> "ConsumerReport":
        return ConsumerReport(
            self.taken + other.taken,
            self.applied + other.applied,
            self.rejected + other.rejected,
            self.set_aside + other.set_aside,
        )


@dataclass(frozen=True)
class _Poison:
    message: Message
    error: BadChangeError


@dataclass(frozen=True)
class _Known:
    """A message that was an event, and what it says."""

    message: Message
    reading: Reading[Any]


def consume(
    settings: Settings,
    database: Database,
    now: Callable[[], datetime],
    *,
    reader: str | None = None,
    longest_seconds: float = LONGEST_SECONDS,
) -> ConsumerReport:
    """Take changes until the queue gives nothing more, or for a while. Several may do so at once.

    Args:
        settings: name the queue and the tables.
        database: the operational store.
        now: tells the time, timezone-aware.
        reader: who deals with the changes right afterwards, so that nobody else is asked to; None: nobody does.
        longest_seconds: after which nothing more is taken.

    Raises:
        botocore.exceptions.BotoCoreError, ClientError, UnavailableError: AWS does not answer. Nothing is lost: what was
            not written stays queued.
    """
    until = clock.monotonic() + longest_seconds
    total = ConsumerReport()
    with ChangeQueue(settings) as queue:
        consumer = _Consumer(settings, database, queue, reader)
        wait = _WAIT_SECONDS
        while messages := queue.receive(wait):
            try:
                total += consumer.take(messages, now())
            except BaseException:
                # Whoever tries it next should not have to wait for them.
                queue.give_back(messages)
                raise
            if clock.monotonic() >= until:
                break
            # One that is overlooked now is asked for by the next look; who waits for these waits no longer.
            wait = 0
    asking.answer(database)
    return total


class _Consumer:
    def __init__(self, settings: Settings, database: Database, queue: ChangeQueue, reader: str | None) -> None:
        self._database = database
        self._queue = queue
        self._reader = reader
        self._items = ItemReader(settings, database)
        self._model = ReadModel(settings.secret_key.get_secret_value(), self._items.orders_now, self._items.refresh)

    def take(self, messages: Sequence[Message], now: datetime) -> ConsumerReport:
        known, poison = self._read(messages)
        faults = self._items.faults([each.reading.event for each in known], now)
        try:
            applied = self._write(known, poison, faults, now)
        except NOT_STORABLE:
            known, not_storable, applied = self._write_one_by_one(known, now)
            poison = [*poison, *not_storable]
            self._write([], poison, faults, now)
        if poison:
            self._queue.bury([each.message for each in poison])
        self._queue.delete(messages)
        return ConsumerReport(len(known), applied, len(faults), len(poison))

    def _read(self, messages: Sequence[Message]) -> tuple[list[_Known], list[_Poison]]:
        events: list[tuple[Message, ChangeEvent]] = []
        poison: list[_Poison] = []
        for message in messages:
            try:
                events.append((message, parse(message.text)))
            except BadChangeError as error:
                poison.append(_Poison(message, error))
        known: list[_Known] = []
        unreadable: list[tuple[ChangeEvent, _Poison]] = []
        for message, event in self._with_items(events):
            try:
                known.append(_Known(message, self._items.read(event)))
            except BadChangeError as error:
                unreadable.append((event, _Poison(message, error)))
        there = self._items.there([event for event, _ in unreadable])
        for event, bad in unreadable:
            if event.key in there:
                poison.append(bad)
            else:
                known.append(_Known(bad.message, Reading(event, None)))
        return known, poison

    def _with_items(self, events: Sequence[tuple[Message, ChangeEvent]]) -> Sequence[tuple[Message, ChangeEvent]]:
        large = [(message, event) for message, event in events if event.fetch]
        if not large:
            return events
        looked_up = self._items.look_up([event for _, event in large])
        rest = [(message, event) for message, event in events if not event.fetch]
        return [*rest, *((message, event) for (message, _), event in zip(large, looked_up, strict=True))]

    def _write(
        self, known: Sequence[_Known], poison: Sequence[_Poison], faults: Sequence[Reject], now: datetime
    ) -> int:
        with self._database.write() as connection:
            applied = self._model.apply(connection, [each.reading for each in known], now)
            rejects.record(connection, [*faults, *(_reject(each, self._queue.name) for each in poison)], now)
            if self._reader is not None:
                change_claims.claim(connection, self._reader, change_log.head(connection), now)
        return applied

    def _write_one_by_one(self, known: Sequence[_Known], now: datetime) -> tuple[list[_Known], list[_Poison], int]:
        """Tell apart what the operational store can hold, which is written, and what it cannot."""
        good: list[_Known] = []
        bad: list[_Poison] = []
        applied = 0
        for each in known:
            try:
                with self._database.write() as connection:
                    applied += self._model.apply(connection, [each.reading], now)
            except NOT_STORABLE as error:
                # Its text could quote a row.
                bad.append(_Poison(each.message, BadChangeError("new", "not_storable", type(error).__name__)))
            else:
                good.append(each)
        return good, bad, applied


def _reject(poison: _Poison, queue: str) -> Reject:
    return Reject(
        entity="change",
        file=queue,
        line=0,
        field=poison.error.field,
        reason=poison.error.code,
        message=str(poison.error),
        original=rejects.storable(poison.message.text),
    )
