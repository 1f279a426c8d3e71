"""What senders do with the ledger: claim rows, mark and record them, settle what follows from those that are closed."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from engagement_pipeline.delivery import bookkeeping
from engagement_pipeline.delivery.dynamodb import addresses, moves, writes
from engagement_pipeline.delivery.dynamodb.holdings import Holdings, Words
from engagement_pipeline.delivery.dynamodb.items import entry_of
from engagement_pipeline.delivery.dynamodb.rows import Rows, touch_of
from engagement_pipeline.delivery.dynamodb.touching import touch_users
from engagement_pipeline.delivery.dynamodb.verdicts import Verdicts, not_rejected
from engagement_pipeline.delivery.dynamodb.waiting import Fresh, waiting
from engagement_pipeline.delivery.entries import (
    AddressFacts,
    Entry,
    Outcome,
    Recovery,
    StoredEmail,
    Ticket,
    left_in_hand,
)
from engagement_pipeline.delivery.feedback.intake import Feedback
from engagement_pipeline.delivery.mailer import Mailer
from engagement_pipeline.delivery.statuses import CLOSED, WAITING, Status
from engagement_pipeline.delivery.workers import is_gone
from engagement_pipeline.platform import change_log
from engagement_pipeline.platform.dynamodb import Dynamo
from engagement_pipeline.platform.dynamodb_tables import ADDRESSES
from engagement_pipeline.platform.dynamodb_writes import Update, Write
from engagement_pipeline.platform.side_by_side import each
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.dynamodb.items import moment_of, text_of

# Of a message in hand that was sent nothing but its row changes: one write, in the transaction that marks the next.
_SIMPLY_SENT: Final[frozenset[Status]] = frozenset({"sent", "delivered"})


class DynamoSending:
    """The sender's part of the ledger; see `DynamoLedger`."""

    feedback: Feedback

    def __init__(self, dynamo: Dynamo, database: Database, *, needs_approval: bool) -> None:
        self._dynamo = dynamo
        self._database = database
        self._needs_approval = needs_approval
        self._rows = Rows(dynamo)
        self._verdicts = Verdicts(dynamo, database)
        self._holdings = Holdings()
        self._fresh = Fresh()

    def due(self, campaign: str, now: datetime, count: int, after: Entry | None) -> list[Entry]:
        found: list[StoredEmail] = []
        for rows in self._due(campaign, now, count, after):
            found += rows
            if len(found) >= count:
                break
        return [entry_of(row) for row in found[:count]]

    def lease(
        self, campaign: str, now: datetime, count: int, after: Entry | None, worker: str, lease_for: timedelta
    ) -> list[Entry]:
        until = now + lease_for
        claimed: list[StoredEmail] = []
        for rows in self._due(campaign, now, count, after):
            free = [row for row in rows if row.status == "queued" and _is_free(row, now)][: count - len(claimed)]
            is_ours = each(lambda row: self._claim(row, worker, now, until), free)
            claimed += [row for row, ours in zip(free, is_ours, strict=True) if ours]
            if len(claimed) >= count:
                break
        return [entry_of(row) for row in claimed]

    def address_facts(self, address_keys: Iterable[str]) -> dict[str, AddressFacts]:
        keys = set(address_keys)
        found = self._dynamo.get_many(ADDRESSES, [(key,) for key in keys], ("addressKey", "reason", "touchedAt"))
        known = {item["addressKey"]: item for item in found}
        return {
            key: AddressFacts("reason" in known.get(key, {}), moment_of(known.get(key, {}).get("touchedAt")))
            for key in keys
        }

    def advance(
        self, worker: str, finished: Outcome | None, following: Ticket | None, now: datetime, lease_for: timedelta
    ) -> bool:
        done: list[Write] = []
        if finished is not None:
            self._holdings.close(worker, [finished.email_id])
            if finished.status in _SIMPLY_SENT:
                done = [writes.recording(worker, finished, now)]
            else:
                self._record(worker, finished, now)
        mark = [] if following is None else self._marking(worker, following, now, lease_for)
        refused = {write.position for write in self._dynamo.transact([*done, *mark])} if done or mark else set()
        if finished is not None and done and refused:
            # Neither was written. Where the row has moved on without us, the rules say what is left to do.
            self._record(worker, finished, now)
        is_marked = following is not None and not refused
        if mark and refused and max(refused) < len(done):
            is_marked = not self._dynamo.transact(mark)
        if following is not None and is_marked:
            self._holdings.let_go(worker, [following.email_id])
        return is_marked

    def skip(self, worker: str, reasons: Mapping[str, str], now: datetime) -> int:
        self._holdings.close(worker, reasons.keys())
        return self._count(writes.closing(worker, email_id, reason, now) for email_id, reason in reasons.items())

    def postpone(self, worker: str, not_before: Mapping[str, datetime]) -> None:
        self._count(writes.releasing(worker, email_id, moment) for email_id, moment in not_before.items())
        self._holdings.let_go(worker, not_before)

    def release(self, worker: str, email_ids: Collection[str] | None = None) -> None:
        if email_ids is None:
            email_ids = self._holdings.claimed(worker) or self._rows.held_by(worker)
        self._count(writes.releasing(worker, email_id) for email_id in email_ids)
        self._holdings.let_go(worker, email_ids)

    def settle(self, worker: str, mailer: Mailer, now: datetime) -> int:
        email_ids = self._holdings.closed(worker) or self._rows.held_by(worker)
        return self._settle(worker, email_ids, mailer.name if mailer.delivers else None, now)

    def recover(self, mailer: Mailer, now: datetime) -> Recovery:
        became: Counter[Status] = Counter()
        for worker, held in self._holders().items():
            for row in held:
                if row.status == "sending" and (is_gone(worker) or _is_free(row, now)):
                    accepted = mailer.was_accepted(row.email_id) if row.provider == mailer.name else None
                    recorded = self._record(worker, left_in_hand(row.email_id, accepted, delivers=mailer.delivers), now)
                    became.update([] if recorded is None else [recorded.status])
            waiting_there = [row.email_id for row in held if row.status == "queued"]
            if is_gone(worker):
                self.release(worker, waiting_there)
            else:
                # Nobody waits for a sender elsewhere whose time has run out.
                self._count(writes.releasing_late(worker, email_id, now) for email_id in waiting_there)
            if _is_left(worker, held, now):
                self._settle(worker, [row.email_id for row in held], mailer.name if mailer.delivers else None, now)
        sent = became["sent"] + became["delivered"]
        return Recovery(sent=sent, queued=became["queued"], unknown=became["unknown"])

    def is_being_sent(self, now: datetime) -> bool:
        holders = self._holders().items()
        return any(
            not is_gone(worker) and (free := _free_from(held)) is not None and free >= now for worker, held in holders
        )

    def has_leftovers(self, now: datetime) -> bool:
        return any(_is_left(worker, held, now) for worker, held in self._holders().items())

    def _due(self, campaign: str, now: datetime, count: int, after: Entry | None) -> Iterator[list[StoredEmail]]:
        """Return rows that may be sent and whose time has come, as they are now, so many at once at most."""
        may_be_sent = self._verdicts.may_be_sent(campaign, self._needs_approval)
        found = waiting(self._dynamo, campaign, until=now, after=after, fresh=self._fresh, page=max(count, 25))
        sendable = (row.email_id for row in found if may_be_sent(row.edition))
        while ids := list(islice(sendable, count)):
            there = self._rows.get(ids)
            rows = [row for email_id in ids if (row := there.get(email_id)) and row.status in WAITING]
            yield [row for row in rows if row.not_before is None or row.not_before <= now]

    def _claim(self, row: StoredEmail, worker: str, now: datetime, until: datetime) -> bool:
        if not self._holdings.claim(worker, row.email_id, Words(row.campaign, row.edition)):
            return False
        refused = self._dynamo.write(writes.claiming(row.email_id, worker, now, until))
        found = {} if refused is None else refused.item or {}
        # Not claimed by us before, it can only have been by this very write, whose answer was lost.
        is_ours = refused is None or (found.get("claimedBy"), found.get("claimedUntil")) == (worker, text_of(until))
        if not is_ours:
            self._holdings.let_go(worker, [row.email_id])
        return is_ours

    def _marking(self, worker: str, ticket: Ticket, now: datetime, lease_for: timedelta) -> list[Write]:
        words = self._holdings.words(worker, ticket.email_id) or self._words(ticket.email_id)
        fence = not_rejected(words.campaign, words.edition, ticket.email_id)
        return [*writes.marking(worker, ticket, now, lease_for), fence]

    def _words(self, email_id: str) -> Words:
        row = self._rows.get([email_id]).get(email_id)
        # There may be no such row any more: marking it is refused anyway.
        return Words("", None) if row is None else Words(row.campaign, row.edition)

    def _record(self, worker: str, outcome: Outcome, now: datetime) -> StoredEmail | None:
        return self._rows.change(outcome.email_id, lambda row: moves.recorded(row, worker, outcome, now))

    def _settle(self, worker: str, email_ids: Collection[str], delivers: str | None, now: datetime) -> int:
        """Write what follows from rows that a worker has closed, then give them back; it can be done again.

        Args:
            worker: who has closed them.
            email_ids: rows that it may have closed.
            delivers: the provider for whom taking a message is delivering it, or None.
            now: the moment of the change.
        """
        held = [row for row in self._rows.get(email_ids).values() if row.claimed_by == worker]
        closed = [row for row in held if row.status in CLOSED]
        if closed:
            touch_users(self._dynamo, self._rows, closed, now)
            self._tell(closed, delivers, now)
            self._prune(closed)
            self._count(writes.giving_back(worker, row.email_id) for row in closed)
        # What is not closed yet may be being closed at this moment.
        self._holdings.settle(worker, set(email_ids) - {row.email_id for row in held if row.status not in CLOSED})
        return len(closed)

    def _tell(self, closed: Sequence[StoredEmail], delivers: str | None, now: datetime) -> None:
        """Note in the operational store what is known of messages by having sent them."""
        delivered = [row for row in closed if row.status == "delivered" and row.provider == delivers]
        if delivered:
            with self._database.write() as connection:
                change_log.lock(connection)
                change_log.append(connection, bookkeeping.record_deliveries(connection, delivered, now), now)
        # A provider may report before we have noted under which id it speaks of a message.
        named = {row.provider_message_id: row.email_id for row in closed if row.provider_message_id is not None}
        self.feedback.match_late(named, now)

    def _prune(self, closed: Sequence[StoredEmail]) -> None:
        keys = {(touch.address_key,) for row in closed if (touch := touch_of(row)) is not None}
        pruned = [addresses.pruning(item) for item in self._dynamo.get_many(ADDRESSES, keys)]
        self._count(update for update in pruned if update is not None)

    def _holders(self) -> dict[str, list[StoredEmail]]:
        """Return the rows that somebody holds, by who does."""
        listed = self._rows.held()
        rows = self._rows.get({email_id for email_ids in listed.values() for email_id in email_ids})
        holders: dict[str, list[StoredEmail]] = {}
        for row in rows.values():
            if row.claimed_by is not None:
                holders.setdefault(row.claimed_by, []).append(row)
        return holders

    def _count(self, updates: Iterable[Update]) -> int:
        """Make writes, each by itself; return how many were not refused."""
        return sum(refused is None for refused in each(self._dynamo.write, list(updates)))


def _is_free(row: StoredEmail, now: datetime) -> bool:
    return row.claimed_by is None or row.claimed_until is None or row.claimed_until < now


def _free_from(held: Iterable[StoredEmail]) -> datetime | None:
    return min((row.claimed_until for row in held if row.claimed_until is not None), default=None)


def _is_left(worker: str, held: Iterable[StoredEmail], now: datetime) -> bool:
    """Tell whether somebody who holds rows is gone, or the time with one of them has run out."""
    free_from = _free_from(held)
    return is_gone(worker) or free_from is None or free_from < now
