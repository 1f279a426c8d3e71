"""The ledger of e-mails: one row per user, campaign and step, and the only place where a row changes its status.

Sending is one short transaction per message: it records what became of the previous message and marks the next one
`sending`. So a sender that dies leaves at most one row of which anybody must ask whether it was sent. What follows from
closed rows (users' touches, events, the change log) is settled for many at once; until then they stay claimed, so that
whoever finds the sender gone knows what is still to be settled.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from engagement_pipeline.copywriting.approvals import Approval
from engagement_pipeline.delivery.anonymous import Pseudonyms
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
from engagement_pipeline.delivery.mailer import Mailer
from engagement_pipeline.delivery.statuses import Status
from engagement_pipeline.platform.audit import AuditEntry


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
        """Put an e-mail that somebody asks for in the queue, with the entry; the system reacts to it.

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

    def anonymise(self, user_id: str, names: Pseudonyms, now: datetime) -> int:
        """Give a user's rows, none of which is in a sender's hands, ids that lead to nobody; return how many.

        Whatever else the store keeps by a former id or address, but for suppressions, goes too. The rows stay, and
        count as before. Taken up again after a crash, with the same names, it finishes what was begun.
        """
