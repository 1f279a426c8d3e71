"""What was decided about words, where the sender's own transactions see it.

All verdicts of a campaign lie in one item of the Emails table. A rejection has to win against a row that is marked at
that moment, so whoever marks a row checks, in the same transaction, that a fence is absent that a rejection puts up.
There are many fences for each edition, and each row has its own among them: transactions that check one item at the
same time would get in each other's way.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Final

from engagement_pipeline.copywriting import approvals
from engagement_pipeline.copywriting.approvals import UNNAMED, Approval
from engagement_pipeline.delivery.dynamodb.items import as_moment
from engagement_pipeline.platform.audit import AuditEntry
from engagement_pipeline.platform.dynamodb import Dynamo
from engagement_pipeline.platform.dynamodb_audit import audit_puts
from engagement_pipeline.platform.dynamodb_tables import EMAILS
from engagement_pipeline.platform.dynamodb_values import Item
from engagement_pipeline.platform.dynamodb_words import absent, unchanged
from engagement_pipeline.platform.dynamodb_writes import Check, Delete, Put
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.dynamodb.items import text_of

FENCES: Final = 64
_MARK: Final = "verdicts#"
_FENCE: Final = "rejected#"


class Verdicts:
    """Verdicts by campaign and edition. The operational store has them, too, for whoever wants to look.

    Args:
        dynamo: the tables, which decide.
        database: the operational store. Its verdicts hold for a campaign until one is decided here.
    """

    def __init__(self, dynamo: Dynamo, database: Database) -> None:
        self._dynamo = dynamo
        self._database = database

    def of(self, campaign: str) -> dict[str, Approval]:
        """Return the verdicts that stand, by edition."""
        return self._read(campaign)[1]

    def may_be_sent(self, campaign: str, needs_approval: bool) -> Callable[[str | None], bool]:
        """Return a rule that tells of which edition's words something may be sent."""
        verdicts = {edition: approval.verdict for edition, approval in self.of(campaign).items()}
        if needs_approval:
            return lambda edition: verdicts.get(edition or UNNAMED) == "approved"
        return lambda edition: verdicts.get(edition or UNNAMED) != "rejected"

    def decide(self, approval: Approval, audit: AuditEntry | None) -> Approval | None:
        """Let a verdict stand, with the entry; return the one before, which stays where it is the same.

        What was begun by somebody who stopped half-way is finished by deciding the same again.
        """
        campaign, edition = approval.campaign, approval.edition
        entry = audit_puts(audit)
        for _ in self._dynamo.tries("verdicts of a campaign are decided again and again"):
            item, verdicts = self._read(campaign)
            before = verdicts.get(edition)
            standing = before if before is not None and before.verdict == approval.verdict else approval
            if approval.verdict == "approved":
                # Before it stands: between the two nothing is sent. The other way round it could have to be.
                self._take_down(campaign, edition)
            if not self._dynamo.transact([_put(campaign, {**verdicts, edition: standing}, item), *entry]):
                break
        if approval.verdict == "rejected":
            self._fence_off(campaign, edition)
        with self._database.write() as connection:
            # Of two who decide at once, the other one's verdict may stand by now.
            approvals.put(connection, self.of(campaign).get(edition, standing))
        return before

    def _read(self, campaign: str) -> tuple[Item, dict[str, Approval]]:
        item = self._dynamo.get(EMAILS, f"{_MARK}{campaign}")
        if item is not None:
            return item, {edition: _approval(campaign, edition, said) for edition, said in item["verdicts"].items()}
        with self._database.read() as connection:
            return {}, dict(approvals.find_all(connection, campaign))

    def _fence_off(self, campaign: str, edition: str) -> None:
        """Put up the fences of a rejection, unless somebody approves the words meanwhile: they found none to remove."""
        is_up = False
        for _ in self._dynamo.tries("verdicts on an edition are decided again and again"):
            is_up = not is_up
            if is_up:
                self._put_up(campaign, edition)
            else:
                self._take_down(campaign, edition)
            if is_up == (self.of(campaign)[edition].verdict == "rejected"):
                break

    def _put_up(self, campaign: str, edition: str) -> None:
        self._dynamo.write_many(Put(EMAILS, {"emailId": name}) for name in _fences(campaign, edition))

    def _take_down(self, campaign: str, edition: str) -> None:
        self._dynamo.write_many(Delete(EMAILS, (name,)) for name in _fences(campaign, edition))


def not_rejected(campaign: str, edition: str | None, email_id: str) -> Check:
    """Let a transaction through unless the words of a row are rejected."""
    number = zlib.crc32(email_id.encode()) % FENCES
    return Check(EMAILS, (_fences(campaign, edition)[number],), absent("emailId"))


def _fences(campaign: str, edition: str | None) -> list[str]:
    return [f"{_FENCE}{campaign}#{edition or UNNAMED}#{number}" for number in range(FENCES)]


def _put(campaign: str, verdicts: Mapping[str, Approval], seen: Item) -> Put:
    said = {
        edition: {
            name: text_of(value) if name == "decided_at" else value
            for name, value in asdict(approval).items()
            if name not in ("campaign", "edition")
        }
        for edition, approval in verdicts.items()
    }
    return Put(EMAILS, {"emailId": f"{_MARK}{campaign}", "verdicts": said}, unchanged(seen, ("verdicts",)))


def _approval(campaign: str, edition: str, said: Item) -> Approval:
    return Approval(**{**said, "campaign": campaign, "edition": edition, "decided_at": as_moment(said["decided_at"])})
