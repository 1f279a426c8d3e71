"""How a row moves, as pure rules: from what it is to what it becomes, or None where it may not go there.

The same predicates and values as in the SQL stores' statements. Whoever writes the outcome says in the condition of the
write that the row still is what it was when it was read.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from engagement_pipeline.delivery.dynamodb.items import EARLIER
from engagement_pipeline.delivery.entries import Correction, Outcome, Report, StoredEmail
from engagement_pipeline.delivery.statements import EXPIRED
from engagement_pipeline.delivery.statuses import EMAILED, HOLDS_ADDRESS, WAITING, follow, may_become


def recorded(row: StoredEmail, worker: str, outcome: Outcome, now: datetime) -> StoredEmail | None:
    """Record what became of a message.

    A row that a successor has taken over is its to record, unless it was left as unknown: then our word resolves it.
    """
    is_ours = row.status == "unknown" or row.claimed_by == worker
    if not is_ours or row.status not in may_become(outcome.status) - {"draft"}:
        return None
    is_emailed = outcome.status in EMAILED
    is_free = outcome.status == "queued"
    return replace(
        row,
        status=outcome.status,
        reason=outcome.reason,
        attempts=row.attempts + outcome.attempts,
        not_before=outcome.not_before,
        provider_message_id=(is_emailed and outcome.provider_message_id) or row.provider_message_id,
        sent_at=row.sent_at if is_emailed else None,
        claimed_by=None if is_free else worker,
        claimed_until=None if is_free else row.claimed_until,
        updated_at=now,
    )


def reported(row: StoredEmail, report: Report, now: datetime) -> StoredEmail | None:
    """Take in what events say. A claim stays: its holder learns by itself that the row has moved."""
    status = row.status if report.status is None else follow(row.status, report.status)
    moved = replace(row, status=status, provider_message_id=row.provider_message_id or report.provider_message_id)
    moved = _dated(moved, report.moments)
    return None if moved == row else replace(moved, updated_at=now)


def corrected(row: StoredEmail, correction: Correction, now: datetime) -> StoredEmail | None:
    """Give a row another status, forward or not, unless it has moved, or was dated, since it was read."""
    seen = correction.row
    if row.campaign == EARLIER:
        # What it says came from no events that we have.
        return None
    if (row.status, row.sent_at) != (seen.status, seen.sent_at):
        return None
    moved = _dated(replace(row, status=correction.status), correction.moments)
    return None if moved == row else replace(moved, updated_at=now)


def held(row: StoredEmail, worker: str, until: datetime) -> StoredEmail:
    """Leave a row that nobody holds with a worker until what follows is settled, by whoever finds it if need be."""
    return row if row.claimed_by is not None else replace(row, claimed_by=worker, claimed_until=until)


def skipped(row: StoredEmail, reason: str, now: datetime) -> StoredEmail | None:
    """Close a row that waits, also out of a sender's hands."""
    if row.status not in WAITING:
        return None
    free = replace(row, claimed_by=None, claimed_until=None, not_before=None)
    return replace(free, status="skipped", reason=reason, updated_at=now)


def expired(row: StoredEmail, before: datetime, now: datetime) -> StoredEmail | None:
    """Stop asking what became of a message that was handed over before a moment."""
    if row.status != "unknown" or row.reason == EXPIRED or row.sent_at is None or row.sent_at >= before:
        return None
    return replace(row, reason=EXPIRED, updated_at=now)


def touched_at(row: StoredEmail) -> datetime | None:
    """Return when the row's address was written to, is being written to, or was held out; None where it was not."""
    if row.status == "held_out":
        return row.decided_at
    return row.sent_at if row.status in HOLDS_ADDRESS else None


def _dated(row: StoredEmail, moments: Sequence[datetime]) -> StoredEmail:
    """Date a row that no sender has dated: by the earliest moment that events name, or not where it was not sent."""
    if not moments or row.status in ("draft", "held_out") or (row.sent_at is not None and row.sent_at not in moments):
        return row
    return replace(row, sent_at=min(moments) if row.status in EMAILED else None)
