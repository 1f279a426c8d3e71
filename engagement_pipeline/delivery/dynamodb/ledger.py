"""The ledger in DynamoDB: rows by id, in the order of their value, by user, by who holds them."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

import sqlalchemy as sa

from engagement_pipeline.copywriting.approvals import UNNAMED, Approval
from engagement_pipeline.delivery.anonymous import Pseudonyms
from engagement_pipeline.delivery.dynamodb import moves, writes
from engagement_pipeline.delivery.dynamodb.forgetting import forget_address, forget_email
from engagement_pipeline.delivery.dynamodb.items import UNKNOWN, new_row
from engagement_pipeline.delivery.dynamodb.sending import DynamoSending
from engagement_pipeline.delivery.dynamodb.suppressions import DynamoSuppressions
from engagement_pipeline.delivery.dynamodb.touching import touch_users
from engagement_pipeline.delivery.dynamodb.waiting import count_waiting, waiting
from engagement_pipeline.delivery.entries import Correction, NewEmail, Report, StoredEmail, email_id_for
from engagement_pipeline.delivery.feedback.intake import Feedback
from engagement_pipeline.delivery.statements import COPY_REJECTED
from engagement_pipeline.delivery.statuses import OPEN, WAITING, Status
from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.delivery.workers import new_worker
from engagement_pipeline.platform.audit import AuditEntry
from engagement_pipeline.platform.batches import in_batches
from engagement_pipeline.platform.dynamodb import Dynamo
from engagement_pipeline.platform.dynamodb_audit import audit_puts
from engagement_pipeline.platform.dynamodb_tables import EMAILS
from engagement_pipeline.platform.dynamodb_words import all_of, equals, less
from engagement_pipeline.platform.dynamodb_writes import Put
from engagement_pipeline.platform.side_by_side import each
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.dynamodb.items import text_of
from engagement_pipeline.users.reading import UserReader

_AT_ONCE: Final = 1_000
# Whoever closes rows holds them until what follows from it is written. If it dies, the next sender finds them.
_TO_SETTLE: Final = timedelta(minutes=5)


class DynamoLedger(DynamoSending):
    """The ledger on the Emails and Addresses tables; see `Ledger`.

    Args:
        dynamo: the tables.
        database: the operational store: events, verdicts for whoever wants to look, the read model.
        users: whom e-mails are for.
        soft_bounces: e-mails in a row that bounce softly until their address is suppressed.
        needs_approval: as for `SqlLedger`.

    Attributes:
        feedback: as for `SqlLedger`.
    """

    def __init__(
        self, dynamo: Dynamo, database: Database, users: UserReader, soft_bounces: int, *, needs_approval: bool = False
    ) -> None:
        super().__init__(dynamo, database, needs_approval=needs_approval)
        self.feedback = Feedback(database, self, DynamoSuppressions(dynamo), users, soft_bounces)

    def create_drafts(self, drafts: Sequence[NewEmail], now: datetime) -> int:
        rows = [new_row(draft, "draft", now) for draft in drafts]
        for row in rows:
            self._fresh.note(row)
        return sum(each(self._rows.create, rows))

    def record_hold_outs(self, held_out: Sequence[NewEmail], now: datetime) -> int:
        worker = new_worker()
        claim = {"claimed_by": worker, "claimed_until": now + _TO_SETTLE}
        created = each(lambda email: self._rows.create(new_row(email, "held_out", now, **claim)), held_out)
        self._settle(worker, [email.email_id for email in held_out], None, now)
        return sum(created)

    def request(self, email: NewEmail, now: datetime, audit: AuditEntry | None = None) -> bool:
        return self._rows.create(new_row(email, "queued", now), audit_puts(audit))

    def taken(self, campaign: str, steps: Mapping[str, int]) -> set[str]:
        ids = {email_id_for(user_id, campaign, step): user_id for user_id, step in steps.items()}
        found = self._dynamo.get_many(EMAILS, [(email_id,) for email_id in ids], ("emailId",))
        with_row = {ids[item["emailId"]] for item in found}
        others = self._rows.of_users(steps.keys() - with_row)
        return with_row | {
            user_id
            for user_id, rows in others.items()
            if any(row.campaign == campaign and row.status in OPEN for row in rows)
        }

    def is_rejected(self, campaign: str, edition: str) -> bool:
        return edition in self._rejected(campaign)

    def queue(self, campaign: str, now: datetime) -> int:
        while self.close_rejected(campaign, _AT_ONCE, now) == _AT_ONCE:
            pass
        may_be_sent = self._verdicts.may_be_sent(campaign, self._needs_approval)
        drafts = waiting(self._dynamo, campaign, ["draft"], fresh=self._fresh)
        sendable = (row for row in drafts if may_be_sent(row.edition))
        return sum(
            self._count(writes.queueing(campaign, row.email_id, now) for row in some)
            for some in in_batches(sendable, _AT_ONCE)
        )

    def decide(self, approval: Approval, audit: AuditEntry | None = None) -> Approval | None:
        return self._verdicts.decide(approval, audit)

    def has_rejected(self, campaign: str) -> bool:
        return next(self._free_rejected(campaign), None) is not None

    def close_rejected(self, campaign: str, count: int, now: datetime) -> int:
        worker, until = new_worker(), now + _TO_SETTLE
        closed = 0
        for ids in in_batches(islice(self._free_rejected(campaign), count), _AT_ONCE):
            closed += self._count(writes.taking_out(worker, email_id, COPY_REJECTED, now, until) for email_id in ids)
            self._settle(worker, ids, None, now)
        return closed

    def count_by_status(self, campaign: str) -> dict[Status, int]:
        """Count the campaign's rows: those that are open in the table, the closed ones in the read model."""
        query = sa.select(emails.c.status, sa.func.count()).where(emails.c.campaign == campaign)
        with self._database.read() as connection:
            counts = {row[0]: row[1] for row in connection.execute(query.group_by(emails.c.status))}
        held = [row for rows in self._holders().values() for row in rows]
        sending = sum(row.status == "sending" and row.campaign == campaign for row in held)
        open_now = {"sending": sending} | {status: count_waiting(self._dynamo, campaign, status) for status in WAITING}
        return {status: number for status, number in (counts | open_now).items() if number}

    def count_unapproved(self, campaign: str) -> int:
        verdicts = self._verdicts.of(campaign).values()
        if not self._needs_approval and all(approval.verdict == "approved" for approval in verdicts):
            return 0
        may_be_sent = self._verdicts.may_be_sent(campaign, self._needs_approval)
        return sum(not may_be_sent(row.edition) for row in waiting(self._dynamo, campaign))

    def expire_unknown(self, before: datetime, now: datetime) -> int:
        key = all_of(equals("campaignStatus", UNKNOWN), less("rank", text_of(before)))
        ids = [item["emailId"] for item in self._dynamo.query(EMAILS, key, index="queue")]
        changed = each(lambda email_id: self._rows.change(email_id, lambda row: moves.expired(row, before, now)), ids)
        return sum(row is not None for row in changed)

    def get_emails(self, email_ids: Iterable[str]) -> dict[str, StoredEmail]:
        return self._rows.get(email_ids)

    def emails_of(self, user_id: str) -> list[StoredEmail]:
        rows = self._rows.of_users([user_id])[user_id]
        return sorted(rows, key=lambda row: (row.created_at, row.step), reverse=True)

    def named(self, provider_message_ids: Collection[str]) -> dict[str, str]:
        names = list(provider_message_ids)
        found = zip(names, each(self._rows.named, names), strict=True)
        return {name: email_id for name, email_id in found if email_id is not None}

    def report(self, reports: Sequence[Report], now: datetime, audit: AuditEntry | None = None) -> None:
        def take(report: Report, also: Sequence[Put] = ()) -> StoredEmail | None:
            return self._rows.change(report.email_id, lambda row: moves.reported(row, report, now), also)

        left = audit_puts(audit)
        # The entry goes with the first row that moves, or by itself.
        for report in reports if left else ():
            left = [] if take(report, left) else left
        each(take, reports)
        if left:
            self._dynamo.transact(left)
        # Also of rows that had moved before: whoever moved them may have died over it.
        touch_users(self._dynamo, self._rows, self._rows.get(report.email_id for report in reports).values(), now)

    def correct(self, corrections: Sequence[Correction], now: datetime) -> int:
        worker, until = new_worker(), now + _TO_SETTLE

        def put_right(correction: Correction) -> StoredEmail | None:
            def move(row: StoredEmail) -> StoredEmail | None:
                moved = moves.corrected(row, correction, now)
                return None if moved is None else moves.held(moved, worker, until)

            return self._rows.change(correction.row.email_id, move)

        changed = [row for row in each(put_right, corrections) if row is not None]
        self._settle(worker, [correction.row.email_id for correction in corrections], None, now)
        return len(changed)

    def close_waiting(self, user_id: str, reason: str, now: datetime) -> None:
        ids = [row.email_id for row in self.emails_of(user_id) if row.status in WAITING]
        each(lambda email_id: self._rows.change(email_id, lambda row: moves.skipped(row, reason, now)), ids)

    def anonymise(self, user_id: str, names: Pseudonyms, now: datetime) -> int:
        ids = self._rows.ids_of(user_id)
        rows = [row for row in self._rows.get(ids).values() if row.user_id == user_id]
        # Rows last: as long as one is left, it is known which addresses there are.
        for address_key in {row.address_key for row in rows if row.address_key}:
            forget_address(self._dynamo, address_key, set(ids))
        for email_id in ids:
            forget_email(self._dynamo, email_id, user_id, names, now)
        return len(rows)

    def _rejected(self, campaign: str) -> set[str]:
        verdicts = self._verdicts.of(campaign).items()
        return {edition for edition, approval in verdicts if approval.verdict == "rejected"}

    def _free_rejected(self, campaign: str) -> Iterator[str]:
        """Return rows that wait with rejected words and that nobody holds."""
        rejected = self._rejected(campaign)
        found = waiting(self._dynamo, campaign) if rejected else iter(())
        ids = (row.email_id for row in found if (row.edition or UNNAMED) in rejected)
        for part in in_batches(ids, _AT_ONCE):
            for row in self._rows.get(part).values():
                if row.status in WAITING and row.claimed_by is None:
                    yield row.email_id
