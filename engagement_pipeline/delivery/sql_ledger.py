"""The ledger in SQLite or PostgreSQL; see `ledger.py` for what is asked of it."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

import sqlalchemy as sa

from engagement_pipeline.copywriting import approvals
from engagement_pipeline.copywriting.approvals import Approval
from engagement_pipeline.delivery import bookkeeping, reported, statements
from engagement_pipeline.delivery.anonymous import Pseudonyms, rename_rows
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
    left_in_hand,
)
from engagement_pipeline.delivery.feedback.intake import Feedback
from engagement_pipeline.delivery.mailer import Mailer
from engagement_pipeline.delivery.statuses import OPEN, WAITING, Status
from engagement_pipeline.delivery.suppressions import SqlSuppressions
from engagement_pipeline.delivery.tables import emails, suppressions
from engagement_pipeline.delivery.workers import is_gone
from engagement_pipeline.platform import change_log
from engagement_pipeline.platform.audit import AuditEntry, record
from engagement_pipeline.platform.change_log import Change
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.derived import chunks
from engagement_pipeline.users.reading import SqlUserReader


class SqlLedger:
    """The ledger in SQLite or PostgreSQL.

    Args:
        database: the operational store.
        soft_bounces: e-mails in a row that bounce softly until their address is suppressed.
        needs_approval: whether somebody has to approve an edition before any of its e-mails is sent. Also for those
            that were queued before: with this nothing leaves that nobody has agreed to. Without it everything may be
            sent that was not rejected.

    Attributes:
        feedback: takes in what is reported of the e-mails.
    """

    def __init__(self, database: Database, soft_bounces: int, *, needs_approval: bool = False) -> None:
        self._database = database
        self._needs_approval = needs_approval
        users, suppressed = SqlUserReader(database), SqlSuppressions(database)
        self.feedback = Feedback(database, self, suppressed, users, soft_bounces)

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
        close_rejected(self, campaign, now)
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
            outcome = left_in_hand(row.email_id, accepted, delivers=mailer.delivers)
            with self._database.write_lean() as lean:
                if bookkeeping.record(lean, row.claimed_by, outcome, now):
                    became[outcome.status] += 1
        for holder in self._left_behind(now):
            if is_gone(holder):
                self.release(holder)
            else:
                with self._write() as connection:
                    connection.execute(statements.RELEASE_LATE, {"p_worker": holder, "p_now": now})
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
            self.feedback.match_late(pairs, now)
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

    def get_emails(self, email_ids: Iterable[str]) -> dict[str, StoredEmail]:
        found: dict[str, StoredEmail] = {}
        with self._database.read() as connection:
            for chunk in chunks(email_ids):
                rows = connection.execute(sa.select(emails).where(emails.c.email_id.in_(chunk)))
                found.update((row.email_id, StoredEmail(**row._mapping)) for row in rows)
        return found

    def emails_of(self, user_id: str) -> list[StoredEmail]:
        mine = sa.select(emails).where(emails.c.user_id == user_id)
        with self._database.read() as connection:
            rows = connection.execute(mine.order_by(emails.c.created_at.desc(), emails.c.step.desc()))
            return [StoredEmail(**row._mapping) for row in rows]

    def named(self, provider_message_ids: Collection[str]) -> dict[str, str]:
        mine = emails.c.provider_message_id.in_(provider_message_ids)
        with self._database.read() as connection:
            rows = connection.execute(sa.select(emails.c.provider_message_id, emails.c.email_id).where(mine))
            return dict(rows.tuples().all())

    def request(self, email: NewEmail, now: datetime, audit: AuditEntry | None = None) -> bool:
        with self._write() as connection:
            if not bookkeeping.insert(connection, [email], "queued", now):
                return False
            change_log.append(connection, [Change("request", email.email_id, email.user_id, "created")], now)
            record(connection, audit)
            return True

    def decide(self, approval: Approval, audit: AuditEntry | None = None) -> Approval | None:
        with self._database.write() as connection:
            if not self._database.is_sqlite:
                connection.execute(statements.LOCK_FOR_REJECTING)
            before = approvals.find(connection, approval.campaign, approval.edition)
            if before is None or before.verdict != approval.verdict:
                approvals.put(connection, approval)
            record(connection, audit)
        return before

    def has_rejected(self, campaign: str) -> bool:
        with self._database.read() as connection:
            return connection.execute(statements.waiting_rejected(campaign).limit(1)).first() is not None

    def close_rejected(self, campaign: str, count: int, now: datetime) -> int:
        with self._write() as connection:
            return bookkeeping.close_rejected(connection, campaign, count, now)

    def report(self, reports: Sequence[Report], now: datetime, audit: AuditEntry | None = None) -> None:
        with self._write() as connection:
            reported.report(connection, reports, now)
            record(connection, audit)

    def correct(self, corrections: Sequence[Correction], now: datetime) -> int:
        with self._write() as connection:
            return reported.correct(connection, corrections, now)

    def close_waiting(self, user_id: str, reason: str, now: datetime) -> None:
        waiting = sa.and_(emails.c.user_id == user_id, statements.is_one_of(emails.c.status, WAITING))
        closed: dict[str, object] = {"status": "skipped", "reason": reason, "updated_at": now}
        # Also out of a sender's hands: it finds, before it sends, that the row is its no more.
        unclaimed = {"claimed_by": None, "claimed_until": None, "not_before": None}
        with self._write() as connection:
            connection.execute(sa.update(emails).where(waiting).values(**closed, **unclaimed))

    def anonymise(self, user_id: str, names: Pseudonyms, now: datetime) -> int:
        with self._write() as connection:
            rows = self.emails_of(user_id)
            rename_rows(connection, rows, names, now)
            return len(rows)

    @contextmanager
    def _write(self) -> Iterator[sa.Connection]:
        with self._database.write() as connection:
            change_log.lock(connection)
            yield connection
