"""The operational store's change log: what changed, in commit order, appended in the changing transaction.

Readers keep an offset (`seq`) and fetch the current rows of what changed after it, so a change that is read twice does
no harm and one that is overtaken by a newer change is simply read in its newest form.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import sqlalchemy as sa

from engagement_pipeline.platform import facts
from engagement_pipeline.platform.sql import UtcDateTime, metadata

Entity = Literal["user", "order", "request", "touch", "email", "event", "suppression", "rejected"]
Operation = Literal["created", "updated", "deleted"]

# What people and shops do, and what somebody asks of us; the rest is our own writing: the system must not react to it.
CAUSES: tuple[Entity, ...] = ("user", "order", "request")

change_log = sa.Table(
    "change_log",
    metadata,
    sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("entity", sa.String(16), nullable=False),
    sa.Column("entity_id", sa.String(256), nullable=False),
    sa.Column("user_id", sa.String(256)),
    sa.Column("operation", sa.String(16), nullable=False),
    sa.Column("changed_at", UtcDateTime, nullable=False),
    # Most readers want one kind of change; our own writing can lie thick between two changes of a user.
    sa.Index("ix_change_log_entity_seq", "entity", "seq"),
    sqlite_autoincrement=True,
)

_POSTGRES_LOCK = 0x656E67
_PRUNED_TO = "change_log_pruned_to"


class Change(NamedTuple):
    """One entry: `user_id` is empty where the change concerns no user."""

    entity: Entity
    entity_id: str
    user_id: str | None
    operation: Operation


def append(connection: sa.Connection, changes: Iterable[Change], changed_at: datetime) -> None:
    """Append changes inside the caller's transaction."""
    rows = [{**change._asdict(), "changed_at": changed_at} for change in changes]
    if not rows:
        return
    lock(connection)
    connection.execute(sa.insert(change_log), rows)


def lock(connection: sa.Connection) -> None:
    """Become the only writer until the transaction ends.

    `append` does so by itself. Who reads rows to decide what to write takes the lock first, before it locks any row:
    on SQLite a writing transaction is alone from its start, on PostgreSQL it would otherwise decide on stale rows.
    """
    if connection.dialect.name == "postgresql":
        # Sequence numbers are drawn before commit: without the lock a reader could pass a number still uncommitted.
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_POSTGRES_LOCK)))


def head(connection: sa.Connection) -> int:
    """Return the newest sequence number of all; 0 for an empty log."""
    seq: int | None = connection.execute(sa.select(sa.func.max(change_log.c.seq))).scalar_one()
    return seq or 0


def newest(connection: sa.Connection, after: int, entities: Sequence[Entity] = CAUSES) -> int | None:
    """Return the newest sequence number beyond `after` of the given entities; None where there is none."""
    query = sa.select(sa.func.max(change_log.c.seq)).where(change_log.c.seq > after, change_log.c.entity.in_(entities))
    seq: int | None = connection.execute(query).scalar_one()
    return seq


def prune_change_log(connection: sa.Connection, before: datetime, up_to_seq: int) -> int:
    """Delete entries older than `before` that every reader has passed; return how many.

    The newest entry always stays, so that sequence numbers never seem to go backwards. How far the log was cut is kept,
    so that a reader whose offset is older than that knows that it has to start afresh (`pruned_to`).

    Args:
        connection: a writing transaction.
        before: entries changed at this moment or later stay.
        up_to_seq: the smallest offset of all readers: entries beyond it stay.
    """
    lock(connection)
    newest_seq = connection.execute(sa.select(sa.func.max(change_log.c.seq))).scalar_one() or 0
    kept_from = connection.execute(
        sa.select(sa.func.min(change_log.c.seq)).where(change_log.c.changed_at >= before)
    ).scalar_one()
    last = min(up_to_seq, newest_seq - 1, newest_seq if kept_from is None else kept_from - 1)
    deleted = connection.execute(sa.delete(change_log).where(change_log.c.seq <= last)).rowcount
    if deleted:
        facts.put(connection, _PRUNED_TO, str(last))
    return deleted


def pruned_to(connection: sa.Connection) -> int:
    """Return the newest sequence number that has been pruned; 0 if none was."""
    return int(facts.get(connection, _PRUNED_TO) or 0)
