"""Who reacts to which changes: claimed by one of several who wait, and answered once a run has dealt with them."""

from datetime import datetime

import sqlalchemy as sa

from engagement_pipeline.platform.sql import UtcDateTime, insert_or_ignore, metadata

change_claims = sa.Table(
    "change_claims",
    metadata,
    sa.Column("reader", sa.String(64), primary_key=True),
    # The newest change that a run was asked to process, and when.
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("claimed_at", UtcDateTime, nullable=False),
    # The newest change that a run has processed.
    sa.Column("answered_seq", sa.BigInteger, nullable=False),
)

_mine = change_claims.c


def claimed(connection: sa.Connection, reader: str) -> int:
    """Return the newest change that the reader has claimed; 0 if it never has."""
    return connection.execute(sa.select(_mine.seq).where(_mine.reader == reader)).scalar_one_or_none() or 0


def claim(connection: sa.Connection, reader: str, seq: int, now: datetime) -> bool:
    """Claim all changes up to `seq`; False where somebody else has claimed them already."""
    insert_or_ignore(connection, change_claims, [{"reader": reader, "seq": 0, "claimed_at": now, "answered_seq": 0}])
    moved = sa.update(change_claims).where(_mine.reader == reader, _mine.seq < seq).values(seq=seq, claimed_at=now)
    return connection.execute(moved).rowcount == 1


def answer(connection: sa.Connection, reader: str, seq: int) -> None:
    """Record that all changes up to `seq` have been dealt with."""
    done = sa.update(change_claims).where(_mine.reader == reader, _mine.answered_seq < seq).values(answered_seq=seq)
    connection.execute(done)


def take_up_again(connection: sa.Connection, reader: str, claimed_before: datetime, now: datetime) -> int | None:
    """Claim once more what was claimed before a moment and never answered: the run asked for did not succeed.

    Returns:
        The newest of those changes; None where everything is answered, or the claim is younger.
    """
    unanswered = (
        sa.update(change_claims)
        .where(_mine.reader == reader, _mine.seq > _mine.answered_seq, _mine.claimed_at < claimed_before)
        .values(claimed_at=now)
        .returning(_mine.seq)
    )
    return connection.execute(unanswered).scalar_one_or_none()
