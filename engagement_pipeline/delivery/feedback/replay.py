"""Rebuilds the ledger's statuses from the stored events and from what the sender itself recorded.

The sender's own word is not kept as such, yet can be told from what events never write: it dates a row (`sent_at`) that
it hands over and takes the date back when the message was refused or not sent, and it gives a reason to whatever did
not simply go out. A person who resolves a row does so by an event.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import Final

import sqlalchemy as sa

from engagement_pipeline.delivery.entries import Correction
from engagement_pipeline.delivery.events import STATUS_OF, Kind
from engagement_pipeline.delivery.feedback import statements
from engagement_pipeline.delivery.feedback.intake import moments
from engagement_pipeline.delivery.ledger import Ledger
from engagement_pipeline.delivery.statuses import EMAILED, Status, follow
from engagement_pipeline.platform import change_log
from engagement_pipeline.platform.sql import Database

_PAGE: Final = 1_000


@dataclass(frozen=True)
class ReplayReport:
    """How many ledger rows were looked at, and how many had another status than their events say."""

    rows: int
    changed: int


def replay(database: Database, ledger: Ledger, now: datetime) -> ReplayReport:
    """Give every row the status that follows from its events, and users the touches that follow from that.

    It may run beside senders, whose rows it leaves alone, and intakes; each page of rows is one transaction.

    Args:
        database: the operational store, which keeps the events.
        ledger: whose rows.
        now: the moment of the change.
    """
    rows = changed = 0
    after = ""
    while True:
        with database.write() as connection:
            change_log.lock(connection)
            page = list(connection.execute(statements.page(after, _PAGE)).scalars())
            changed += ledger.correct(_corrections(connection, ledger, page), now)
        if not page:
            return ReplayReport(rows, changed)
        rows += len(page)
        after = page[-1]


def sender_said(status: Status, sent_at: datetime | None, reason: str | None) -> Status:
    """Return where the sender left a row before any event came, as far as that matters for what events make of it."""
    if sent_at is None:
        return "failed" if status in EMAILED else status
    return "sent" if reason is None else "unknown"


def rebuilt(base: Status, kinds: Iterable[Kind]) -> Status:
    """Return the status that events, in any order, make of what the sender said."""
    reported = {STATUS_OF[kind] for kind in kinds if kind in STATUS_OF}
    return reduce(follow, reported, base)


def _corrections(connection: sa.Connection, ledger: Ledger, page: Sequence[str]) -> list[Correction]:
    kinds: dict[str, list[Kind]] = defaultdict(list)
    for email_id, kind in connection.execute(statements.kinds(page)):
        kinds[email_id].append(kind)
    wrong = []
    for email_id, row in ledger.get_emails(page).items():
        if row.claimed_by is not None:
            # In a sender's hands: it has more to say than it has written so far.
            continue
        base = sender_said(row.status, row.sent_at, row.reason)
        status = rebuilt(base, kinds[email_id])
        if status != row.status:
            wrong.append((row, status))
    told = moments(connection, [row.email_id for row, _ in wrong])
    return [Correction(row, status, told.get(row.email_id, ())) for row, status in wrong]
