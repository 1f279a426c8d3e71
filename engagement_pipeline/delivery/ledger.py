"""The ledger of e-mails: one row per user, campaign and step, and the only place where a row changes its status.

Sending is one short transaction per message: it records what became of the previous message and marks the next one
`sending`. So a sender that dies leaves at most one row of which anybody must ask whether it was sent. What follows from
closed rows (users' touches, events, the change log) is settled for many at once; until then they stay claimed, so that
whoever finds the sender gone knows what is still to be settled.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Protocol

import sqlalchemy as sa

from engagement_pipeline.copywriting import approvals
from engagement_pipeline.copywriting.approvals import Approval
from engagement_pipeline.delivery import bookkeeping, statements
from engagement_pipeline.delivery.approving import close_rejected
from engagement_pipeline.delivery.entries import (
    AddressFacts,
    Correction,
    Entry,
    NewEmail,
    Outcome,
    Recovery,
    Report,
    StoredEmail,
    Ticket,
)
from engagement_pipeline.delivery.feedback import intake
from engagement_pipeline.delivery.mailer import Mailer
from engagement_pipeline.delivery.statuses import OPEN, WAITING, Status
from engagement_pipeline.delivery.tables import emails, suppressions
from engagement_pipeline.delivery.workers import is_gone
from engagement_pipeline.platform import change_log
from engagement_pipeline.platform.audit import AuditEntry
from engagement_pipeline.platform.change_log import Change
from engagement_pipeline.platform.sql import Database


class Ledger(Protocol):
    """What delivery asks of the store that holds the ledger."""

    def create_drafts(self, drafts: Sequence[NewEmail], now: datetime) -> int:
        """Create a draft for each decision that has no row yet; return how many were new."""

    def record_hold_outs(self, held_out: Sequence[NewEmail], now: datetime) -> int:
        """Record those whom we keep silent on purpose: closed at once, a touch like an e-mail; return the new ones."""

    def taken(self, campaign: str, steps: Mapping[str, int]) -> set[str]:
        """Return the users, of those given with their next step, who have an open row or one for that step."""

    def is_rejected(self, campaign: str, edition: str) -> bool:
        """Tell whether somebody has rejected these words: a draft that says them would only be closed."""

    def queue(self, campaign: str, now: datetime) -> int:
        """Release the campaign's drafts for sending, as far as their words may be sent; return how many.

        Closes those whose words were rejected.
        """

    def recover(self, mailer: Mailer, now: datetime) -> Recovery:
        """Resolve what senders that are gone have left: their claims, and the message each had in its hands."""

    def due(self, campaign: str, now: datetime, count: int, after: Entry | None) -> list[Entry]:
        """Look at the next drafts and queued rows behind `after`, the most valuable first, without claiming them.

        As `lease`, it passes over rows whose words may not be sent.
        """

    def lease(
        self, campaign: str, now: datetime, count: int, after: Entry | None, worker: str, lease_for: timedelta
    ) -> list[Entry]:
        """Claim the next queued rows behind `after`, the most valuable first."""

    def address_facts(self, address_keys: Iterable[str]) -> dict[str, AddressFacts]:
        """Return what is known of each address, over all users that share it."""

    def advance(
        self, worker: str, finished: Outcome | None, following: Ticket | None, now: datetime, lease_for: timedelta
    ) -> bool:
        """Record one outcome and mark the next row `sending`, in one transaction.

        Returns:
            Whether `following` is now this worker's to send. False when anything that the gate has judged has
            changed since: the user, the address, its suppression, or the claim.
        """

    def skip(self, worker: str, reasons: Mapping[str, str], now: datetime) -> int:
        """Close rows that this worker has claimed, by email_id, each with the gate's reason; return how many."""

    def settle(self, worker: str, mailer: Mailer, now: datetime) -> int:
        """Write what follows from the rows that this worker has closed, and give them back; return how many."""

    def postpone(self, worker: str, not_before: Mapping[str, datetime]) -> None:
        """Give back rows that this worker has claimed, by email_id, until their moment has come."""

    def release(self, worker: str, email_ids: Collection[str] | None = None) -> None:
        """Give back what this worker has claimed and not marked: the named rows, or all."""

    def is_being_sent(self, now: datetime) -> bool:
        """Tell whether a sender that lives, as far as anybody can tell, has claimed rows."""

    def has_leftovers(self, now: datetime) -> bool:
        """Tell whether a sender that is gone has left something to `recover`."""

    def count_by_status(self, campaign: str) -> dict[Status, int]:
        """Count the campaign's rows."""

    def count_unapproved(self, campaign: str) -> int:
        """Count the drafts and queued rows whose words may not be sent: not approved yet, or rejected."""

    def expire_unknown(self, before: datetime, now: datetime) -> int:
        """Stop asking about messages handed over before a moment: they stay unknown, and count as sent for ever.

        Returns:
            How many have expired now.
        """

    def get_emails(self, email_ids: Iterable[str]) -> dict[str, StoredEmail]:
        """Return the rows of these ids that there are, as they are now."""

    def emails_of(self, user_id: str) -> list[StoredEmail]:
        """Return a user's rows of every campaign and status, the newest first."""

    def named(self, provider_message_ids: Collection[str]) -> dict[str, str]:
        """Return our ids of the e-mails that a provider calls by these names; names of none are absent."""

    def request(self, email: NewEmail, now: datetime, audit: AuditEntry | None = None) -> bool:
        """Put an e-mail that somebody asks for in the queue, with the entry.

        Returns:
            False where the user has a row at this step by now; nothing was written.
        """

    def decide(self, approval: Approval, audit: AuditEntry | None = None) -> Approval | None:
        """Let a verdict on words stand, with the entry; return the one that stood before, or None.

        Where the verdict is the same as before, the one before stays as it is. From the moment at which a rejection
        stands, no row that says these words is marked `sending`.
        """

    def has_rejected(self, campaign: str) -> bool:
        """Tell whether `close_rejected` has something to close: given back by a sender, or written meanwhile."""

    def close_rejected(self, campaign: str, count: int, now: datetime) -> int:
        """Close up to `count` drafts and queued rows whose words were rejected; return how many.

        Passes over those that a sender holds: it gives them back, as it may not mark them.
        """

    def report(self, reports: Sequence[Report], now: datetime, audit: AuditEntry | None = None) -> None:
        """Take in what events say of rows, each at most once in a call, and what follows from it for users' touches.

        A status moves forward only (`may_become`). A moment of sending that the sender has recorded stays; else it is
        the earliest of the report's, and none for a row that, in the end, was not sent. A claim stays: its holder
        learns by itself that the row has moved. A provider's id that is known stays. Repeating it changes nothing.

        Args:
            reports: of e-mails that the ledger has; others are passed over.
            now: the moment of the change.
            audit: of the person whose word it is, where it is one's.
        """

    def correct(self, corrections: Sequence[Correction], now: datetime) -> int:
        """Give rows another status, forward or not, unless they have moved or were dated since they were read.

        Moments of sending and users' touches follow as in `report`. Returns how many rows were changed.
        """

    def close_waiting(self, user_id: str, reason: str, now: datetime) -> None:
        """Skip all rows of a user that wait, also out of a sender's hands, but for those marked `sending`."""

    def anonymise(
        self,
        user_id: str,
        pseudonym: str,
        email_ids: Mapping[str, str],
        address_keys: Mapping[str, str],
        now: datetime,
    ) -> None:
        """Give a user's rows, none of which is in a sender's hands, ids that lead to nobody.

        A provider's id that is made of the former one goes. Whatever else the store keeps by a former id or address,
        but for suppressions, goes too. Repeating it after a crash finishes it.

        Args:
            user_id: whose rows.
            pseudonym: takes the user's place.
            email_ids: the new ids by the former ones; a row that is not named keeps everything.
            address_keys: likewise.
            now: the moment of the change.
        """


class SqlLedger:
    """The ledger in SQLite or PostgreSQL.

    Args:
        database: the operational store.
        soft_bounces: e-mails in a row that bounce softly until their address is suppressed.
        needs_approval: whether somebody has to approve an edition before any of its e-mails is sent. Also for those
            that were queued before: with this nothing leaves that nobody has agreed to. Without it everything may be
            sent that was not rejected.
    """

    def __init__(self, database: Database, soft_bounces: int, *, needs_approval: bool = False) -> None:
        self._database = database
        self._soft_bounces = soft_bounces
        self._needs_approval = needs_approval

    def create_drafts(self, drafts: Sequence[NewEmail], now: datetime) -> int:
        with self._write() as connection:
            return len(bookkeeping.insert(connection, drafts, "draft", now))

    def record_hold_outs(self, held_out: Sequence[NewEmail], now: datetime) -> int:
        with self._write() as connection:
            created = bookkeeping.insert(connection, held_out, "held_out", now)
            bookkeeping.touch_users(connection, [email.user_id for email in created], now)
            return len(created)

    def taken(self, campaign: str, steps: Mapping[str, int]) -> set[str]:
        columns = (emails.c.user_id, emails.c.step, emails.c.status)
        query = sa.select(*columns).where(emails.c.user_id.in_(steps), emails.c.campaign == campaign)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return {row.user_id for row in rows if row.status in OPEN or row.step == steps[row.user_id]}

    def is_rejected(self, campaign: str, edition: str) -> bool:
        with self._database.read() as connection:
            approval = approvals.find(connection, campaign, edition)
        return approval is not None and approval.verdict == "rejected"

    def queue(self, campaign: str, now: datetime) -> int:
        close_rejected(self._database, campaign, now)
        drafts = sa.and_(emails.c.campaign == campaign, emails.c.status == "draft")
        with self._write() as connection:
            queued = connection.execute(
                sa.update(emails)
                .where(drafts, statements.may_be_sent(self._needs_approval))
                .values(status="queued", updated_at=now)
                .returning(emails.c.email_id, emails.c.user_id)
            ).all()
            changes = [Change("email", row.email_id, row.user_id, "updated") for row in queued]
            change_log.append(connection, changes, now)
        return len(queued)

    def recover(self, mailer: Mailer, now: datetime) -> Recovery:
        with self._database.read() as connection:
            in_hand = connection.execute(statements.IN_HAND).all()
        became: Counter[Status] = Counter()
        for row in in_hand:
            if row.claimed_until >= now and not is_gone(row.claimed_by):
                continue
            accepted = mailer.was_accepted(row.email_id) if row.provider == mailer.name else None
            outcome = _resolved(row.email_id, accepted, mailer)
            with self._database.write_lean() as lean:
                if bookkeeping.record(lean, row.claimed_by, outcome, now):
                    became[outcome.status] += 1
        for holder in self._left_behind(now):
            if is_gone(holder):
                self.release(holder)
            self.settle(holder, mailer, now)
        sent = became["sent"] + became["delivered"]
        return Recovery(sent=sent, queued=became["queued"], unknown=became["unknown"])

    def due(self, campaign: str, now: datetime, count: int, after: Entry | None) -> list[Entry]:
        with self._database.read() as connection:
            due = statements.due(campaign, now, WAITING, after, self._needs_approval)
            rows = connection.execute(due.limit(count))
            return [Entry(**row._mapping) for row in rows]

    def lease(
        self, campaign: str, now: datetime, count: int, after: Entry | None, worker: str, lease_for: timedelta
    ) -> list[Entry]:
        rows = statements.due(campaign, now, ("queued",), after, self._needs_approval).limit(count)
        with self._database.write() as connection:
            claimed = [
                Entry(**row._mapping) for row in connection.execute(statements.claim(rows, worker, now, lease_for))
            ]
        return sorted(claimed, key=lambda entry: (-entry.value_at_risk, entry.email_id))

    def address_facts(self, address_keys: Iterable[str]) -> dict[str, AddressFacts]:
        keys = sorted(set(address_keys))
        suppressed = sa.select(suppressions.c.address_key).where(suppressions.c.address_key.in_(keys))
        with self._database.read() as connection:
            unwanted = set(connection.execute(suppressed).scalars())
            touched = {row[0]: row[1] for row in connection.execute(statements.last_touches(keys))}
        return {key: AddressFacts(key in unwanted, touched.get(key)) for key in keys}

    def advance(
        self, worker: str, finished: Outcome | None, following: Ticket | None, now: datetime, lease_for: timedelta
    ) -> bool:
        with self._database.write_lean() as lean:
            if following is not None:
                bookkeeping.lock_for_sending(lean, following.address_key)
            marked = following is not None and bookkeeping.mark(lean, worker, following, now, lease_for)
            if finished is not None:
                bookkeeping.record(lean, worker, finished, now)
        return marked

    def skip(self, worker: str, reasons: Mapping[str, str], now: datetime) -> int:
        if not reasons:
            return 0
        # One row after the other, in one order for all: several at a time could deadlock with an intake of events.
        with self._database.write_lean() as lean:
            return sum(
                bookkeeping.record(lean, worker, Outcome(email_id, "skipped", reasons[email_id], attempts=0), now)
                for email_id in sorted(reasons)
            )

    def settle(self, worker: str, mailer: Mailer, now: datetime) -> int:
        with self._write() as connection:
            rows = bookkeeping.settle(connection, worker, mailer.name if mailer.delivers else None, now)
            pairs = {row.provider_message_id: row.email_id for row in rows if row.provider_message_id is not None}
            # A provider may report before we have noted under which id it speaks of a message.
            intake.match_late(connection, pairs, now, self._soft_bounces)
        return len(rows)

    def postpone(self, worker: str, not_before: Mapping[str, datetime]) -> None:
        if not not_before:
            return
        values = [{"p_worker": worker, "p_email_id": key, "p_not_before": moment} for key, moment in not_before.items()]
        with self._write() as connection:
            connection.execute(statements.POSTPONE, values)

    def release(self, worker: str, email_ids: Collection[str] | None = None) -> None:
        rows = statements.RELEASE
        if email_ids is not None:
            rows = rows.where(emails.c.email_id.in_(email_ids))
        with self._write() as connection:
            connection.execute(rows, {"p_worker": worker})

    def is_being_sent(self, now: datetime) -> bool:
        return any(not is_gone(holder) for holder, free_from in self._holders() if free_from and free_from >= now)

    def has_leftovers(self, now: datetime) -> bool:
        return bool(self._left_behind(now))

    def _left_behind(self, now: datetime) -> list[str]:
        """Return holders of whom something is left: they are gone, or their time with it has run out."""
        return [
            holder for holder, free_from in self._holders() if is_gone(holder) or free_from is None or free_from < now
        ]

    def _holders(self) -> list[tuple[str, datetime | None]]:
        with self._database.read() as connection:
            return [(row.claimed_by, row.free_from) for row in connection.execute(statements.HOLDERS)]

    def count_by_status(self, campaign: str) -> dict[Status, int]:
        query = sa.select(emails.c.status, sa.func.count()).where(emails.c.campaign == campaign)
        with self._database.read() as connection:
            return {row[0]: row[1] for row in connection.execute(query.group_by(emails.c.status))}

    def count_unapproved(self, campaign: str) -> int:
        waiting = sa.and_(emails.c.campaign == campaign, statements.is_one_of(emails.c.status, WAITING))
        query = sa.select(sa.func.count()).where(waiting, ~statements.may_be_sent(self._needs_approval))
        with self._database.read() as connection:
            number: int = connection.execute(query).scalar_one()
        return number

    def expire_unknown(self, before: datetime, now: datetime) -> int:
        with self._write() as connection:
            expired = connection.execute(statements.EXPIRE, {"p_before": before, "p_now": now}).all()
            changes = [Change("email", row.email_id, row.user_id, "updated") for row in expired]
            change_log.append(connection, changes, now)
        return len(expired)

    @contextmanager
    def _write(self) -> Iterator[sa.Connection]:
        with self._database.write() as connection:
            change_log.lock(connection)
            yield connection


def _resolved(email_id: str, accepted: bool | None, mailer: Mailer) -> Outcome:
    if accepted is None:
        return Outcome(email_id, "unknown", "sender_stopped")
    if not accepted:
        return Outcome(email_id, "queued")
    return Outcome(email_id, "delivered" if mailer.delivers else "sent")
