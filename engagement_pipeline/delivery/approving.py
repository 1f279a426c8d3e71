"""Deciding on what a campaign says, and what that does to the e-mails that say it.

Approving lets the drafts of an edition go. Rejecting stops them: once it stands no e-mail with these words leaves but
those in a sender's hands, and those that wait are closed, so that their users can be written to anew, in other words,
which are another edition.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from engagement_pipeline.copywriting.approvals import Approval
from engagement_pipeline.delivery import statements
from engagement_pipeline.delivery.ledger import Ledger
from engagement_pipeline.delivery.statuses import EMAILED, WAITING, Status
from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.platform.audit import AuditEntry
from engagement_pipeline.platform.sql import Database

HOW_TO_GO_ON: Final = "engagement copy sample, then engagement copy approve EDITION"

# Rows closed in one transaction, for which other writers wait.
_AT_ONCE: Final = 1_000


@dataclass(frozen=True)
class Standing:
    """A verdict that stands, and what it did.

    Attributes:
        approval: the verdict. Deciding the same again leaves the first one as it is.
        before: the verdict that it replaced, or the same one; None where nobody had decided.
        closed: e-mails that waited and were closed by this.
    """

    approval: Approval
    before: Approval | None
    closed: int

    @property
    def is_new(self) -> bool:
        """Whether this verdict differs from what stood before."""
        return self.before is None or self.before.verdict != self.approval.verdict


@dataclass(frozen=True)
class Decided(Standing):
    """A verdict that stands, and what it found.

    Attributes:
        waiting: e-mails of the edition that wait now; where it is rejected, those that a sender holds: they are closed
            when it gives them back.
        emailed: e-mails of the edition that went out, or may have, before.
    """

    waiting: int
    emailed: int


def decide(
    database: Database,
    ledger: Ledger,
    approval: Approval,
    on_closed: Callable[[int], object] = lambda _: None,
    audit: AuditEntry | None = None,
) -> Decided:
    """Let a verdict stand, and count what it found: reads the SQL table of e-mails whole. See `let_stand`."""
    standing = let_stand(ledger, approval, on_closed, audit)
    with database.read() as connection:
        rows = count_by_edition(connection, approval.campaign).get(approval.edition, {})
    return Decided(**vars(standing), waiting=_sum(rows, WAITING), emailed=_sum(rows, EMAILED))


def let_stand(
    ledger: Ledger,
    approval: Approval,
    on_closed: Callable[[int], object] = lambda _: None,
    audit: AuditEntry | None = None,
) -> Standing:
    """Let a verdict stand. Repeating it changes nothing, but goes on closing where that was interrupted.

    Args:
        ledger: whose e-mails say these words.
        approval: the verdict.
        on_closed: told now and then how many more e-mails were closed.
        audit: of who decides.
    """
    before = ledger.decide(approval, audit)
    standing = before if before is not None and before.verdict == approval.verdict else approval
    closed = 0
    if approval.verdict == "rejected":
        closed = close_rejected(ledger, approval.campaign, approval.decided_at, on_closed)
    return Standing(standing, before, closed)


def close_rejected(
    ledger: Ledger, campaign: str, now: datetime, on_closed: Callable[[int], object] = lambda _: None
) -> int:
    """Close drafts and queued rows whose words were rejected, but for those that a sender holds; return how many.

    No sender marks a row that was rejected; what it gives back is closed by the next run.
    """
    closed = 0
    while True:
        number = ledger.close_rejected(campaign, _AT_ONCE, now)
        closed += number
        on_closed(number)
        if number < _AT_ONCE:
            return closed


def count_waiting(connection: sa.Connection, campaign: str, edition: str, at_most: int | None = None) -> int:
    """Count a campaign's e-mails of an edition that wait, up to a bound; reads those that wait, and no others."""
    of_it = sa.and_(emails.c.campaign == campaign, statements.EDITION.in_([edition]))
    found = sa.select(sa.literal(1)).where(statements.is_one_of(emails.c.status, WAITING), of_it).limit(at_most)
    return connection.execute(sa.select(sa.func.count()).select_from(found.subquery())).scalar_one()


def count_by_edition(connection: sa.Connection, campaign: str) -> dict[str, dict[Status, int]]:
    """Count a campaign's e-mails by edition and status, the edition with the newest decisions first.

    The hold-out, which is told nothing, is left out.
    """
    newest = sa.func.max(emails.c.decided_at)
    query = (
        sa.select(statements.EDITION, emails.c.status, sa.func.count(), newest)
        .where(emails.c.campaign == campaign, emails.c.status != "held_out")
        .group_by(statements.EDITION, emails.c.status)
        .order_by(newest.desc(), statements.EDITION)
    )
    counts: dict[str, dict[Status, int]] = {}
    for edition, status, number, _ in connection.execute(query):
        counts.setdefault(edition, Counter())[status] = number
    return counts


def in_words(unapproved: int) -> str:
    """Say how many e-mails wait for a person, and how to go on."""
    number = "1 e-mail waits" if unapproved == 1 else f"{unapproved:,} e-mails wait"
    return f"{number} until somebody approves what is said: {HOW_TO_GO_ON}"


def _sum(rows: Mapping[Status, int], statuses: frozenset[Status]) -> int:
    return sum(rows.get(status, 0) for status in statuses)
